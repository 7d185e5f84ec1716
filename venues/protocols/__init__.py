"""What goes over the wire: protocols without I/O and venues' own messages; each is imported only by its venues."""
