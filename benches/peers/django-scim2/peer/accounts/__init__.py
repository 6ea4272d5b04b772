"""Users and groups as django-scim2's documentation makes them."""
