"""The app's side of the pull walk."""
