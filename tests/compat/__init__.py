"""The names of older add-ons, used as code from before uses them."""
