select * from {{ published_rows(var('sync_list_path', ''), [
  ('account_id', 'varchar'), ('tier', 'varchar'), ('fit_score', 'integer'), ('reasons', 'varchar'),
  ('is_icp_qualified', 'boolean'), ('do_not_contact', 'boolean'),
]) }} as listed
