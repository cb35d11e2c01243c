"""The app's database, seen by the sync role. psycopg2 is imported in this folder alone."""
