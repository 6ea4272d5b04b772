"""One fixed token, since django-scim2 leaves authentication to others."""

from types import SimpleNamespace


class Bearer:
    """Lets in whoever has it."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        known = request.headers.get("Authorization") == "Bearer peer"
        request.user = SimpleNamespace(is_authenticated=known, is_anonymous=not known)
        return self.get_response(request)
