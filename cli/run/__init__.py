"""One loop for streams and dashboards: options, request, source, freshness, ending; the one sending connection."""
