"""The book of original entry: appends events with their Kafka positions in one transaction and proves them unedited."""
