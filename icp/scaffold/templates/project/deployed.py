"""What deployments.yaml runs: the flows of the installed icp-refresh. Flows of your own go beside this file."""

from flows.ingest import icp_ingest
from flows.monitor import icp_monitor
from flows.refresh import icp_refresh

__all__ = ["icp_ingest", "icp_monitor", "icp_refresh"]
