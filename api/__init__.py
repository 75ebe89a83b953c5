"""Everything outbound: HTTP, from what was released and what is public. It never opens the raw store."""
