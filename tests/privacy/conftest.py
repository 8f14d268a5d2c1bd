"""The Stripe of the tests about payments stands behind these too."""

from tests.payments.conftest import fake

__all__ = ["fake"]
