"""The words every context speaks; behaviour belongs to the contexts."""
