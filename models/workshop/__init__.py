"""Where bundles are made: needs torch and nncf (extra `workshop`); runs on a desk, nothing outside imports it."""
