"""Users and groups of django-scim2's abstract models."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django_scim.models import AbstractSCIMGroupMixin, AbstractSCIMUserMixin


class Group(AbstractSCIMGroupMixin):
    """A group. django-scim2 wants its name in `name`."""

    name = models.CharField(max_length=254, unique=True)


class User(AbstractSCIMUserMixin, AbstractUser):
    """A user, with a relation that django-scim2 reads groups by."""

    scim_groups = models.ManyToManyField(Group, related_name="user_set")
