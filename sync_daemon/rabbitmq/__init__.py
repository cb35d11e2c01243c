"""The broker's edge: the only place that knows pika."""
