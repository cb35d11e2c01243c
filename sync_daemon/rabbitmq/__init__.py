"""The broker's edge: the only room that imports pika."""
