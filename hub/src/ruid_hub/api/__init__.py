"""What programs read: health, metrics, the live picture as JSON, thumbnails by database id."""
