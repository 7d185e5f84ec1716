"""The terminal: keys, painter, panes, layout, grid. Knows no stream."""
