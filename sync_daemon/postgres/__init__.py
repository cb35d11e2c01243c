"""The app's database as the sync role sees it. Only this folder imports psycopg2."""
