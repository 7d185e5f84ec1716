"""What becomes of a record: text and cells, queues, lines, the words of statuses."""
