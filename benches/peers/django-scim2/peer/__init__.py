"""A Django project that has nothing but django-scim2."""
