"""What can be wrong with an offboarding."""

from promptcraft.kernel.errors import Conflict, Invalid, NotFound


class NotThisOrganisation(Invalid):
    code = "not_this_organisation"
    title = "The short name is not that of the organisation"
    next_step = "Look which one you mean with `pc-hybrid org list`."


class NotBeingOffboarded(NotFound):
    code = "not_being_offboarded"
    title = "The organisation is not being offboarded, and was not"
    next_step = "Begin with `pc-hybrid org offboard`."


class ExportNotThere(Conflict):
    code = "export_not_there"
    title = "The export is not written yet, or was removed"
    next_step = "See how far the offboarding is with `pc-hybrid org offboarding`."
