"""From files to one positioned tree: which files, include, extends, merge, profiles."""
