"""What deployments.yaml runs: the flows of the installed icp-refresh. Flows of your own go beside this file."""

from flows.approval import icp_approval
from flows.ingest import icp_ingest
from flows.monitor import icp_monitor, icp_monitor_all
from flows.refresh import icp_refresh, icp_refresh_all

__all__ = ["icp_approval", "icp_ingest", "icp_monitor", "icp_monitor_all", "icp_refresh", "icp_refresh_all"]
