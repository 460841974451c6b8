"""What leaves the lake: the report page and the exports."""
