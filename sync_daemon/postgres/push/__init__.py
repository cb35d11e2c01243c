"""The app's side of the push walk."""
