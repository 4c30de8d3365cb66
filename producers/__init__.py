"""Where facts leave files or other systems for Kafka, in the form that Daybook's own consumers read."""
