"""A systemd that only listens: answers the manager's calls on a bus of the test's own and writes each down as a line of
JSON. How a job ends is read from the file "outcome" beside the log ("done" when there is none)."""
import json
import os
import pathlib
import sys

import dbus
import dbus.bus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME, PATH, MANAGER = "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"


def plain(value):
    """Values with the signature of a variant, as JSON can say them."""
    if isinstance(value, (dbus.Array, list)):
        return [plain(entry) for entry in value]
    if isinstance(value, (dbus.Struct, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, dbus.Boolean):
        return bool(value)
    if isinstance(value, str):
        return str(value)
    return int(value)


def properties_of(pairs):
    return {str(name): {"type": type(value).__name__, "value": plain(value)} for name, value in pairs}


class UnitExists(dbus.DBusException):
    _dbus_error_name = "org.freedesktop.systemd1.UnitExists"


class NoSuchUnit(dbus.DBusException):
    _dbus_error_name = "org.freedesktop.systemd1.NoSuchUnit"


class Manager(dbus.service.Object):
    def __init__(self, bus, log):
        super().__init__(bus, PATH)
        self.log, self.jobs, self.units = log, 0, set()

    def note(self, call, **what):
        with open(self.log, "a") as out:
            out.write(json.dumps({"call": call, **what}) + "\n")

    def outcome(self):
        path = self.log.parent / "outcome"
        return path.read_text() if path.exists() else "done"

    def job(self, unit, outcome):
        self.jobs += 1
        job = f"{PATH}/job/{self.jobs}"
        # Somebody else's job first: only one's own end counts.
        GLib.idle_add(lambda: self.JobRemoved(dbus.UInt32(9999), f"{PATH}/job/9999", "other.service", "failed"))
        GLib.idle_add(lambda: self.JobRemoved(dbus.UInt32(self.jobs), job, unit, outcome))
        return dbus.ObjectPath(job)

    @dbus.service.method(MANAGER, in_signature="", out_signature="")
    def Subscribe(self):
        self.note("Subscribe")

    @dbus.service.method(MANAGER, in_signature="ssa(sv)a(sa(sv))", out_signature="o")
    def StartTransientUnit(self, name, mode, properties, aux):
        known = properties_of(properties)
        alive = [os.path.exists(f"/proc/{pid}") for pid in known["PIDs"]["value"]]
        self.note("StartTransientUnit", unit=name, mode=mode, properties=known, alive=alive, aux=len(aux))
        outcome = self.outcome()
        if outcome == "exists":
            raise UnitExists(f"Unit {name} was already loaded")
        self.units.add(str(name))
        return self.job(name, outcome)

    @dbus.service.method(MANAGER, in_signature="sba(sv)", out_signature="")
    def SetUnitProperties(self, name, runtime, properties):
        self.note("SetUnitProperties", unit=name, runtime=bool(runtime), properties=properties_of(properties))

    @dbus.service.method(MANAGER, in_signature="ss", out_signature="o")
    def StopUnit(self, name, mode):
        self.note("StopUnit", unit=name, mode=mode)
        if str(name) not in self.units:
            raise NoSuchUnit(f"Unit {name} not loaded.")
        self.units.discard(str(name))
        return self.job(name, "done")

    @dbus.service.method(MANAGER, in_signature="s", out_signature="")
    def ResetFailedUnit(self, name):
        self.note("ResetFailedUnit", unit=name)

    @dbus.service.signal(MANAGER, signature="uoss")
    def JobRemoved(self, number, job, unit, result):
        pass


def main():
    address, log = sys.argv[1], pathlib.Path(sys.argv[2])
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.bus.BusConnection(address)
    name = dbus.service.BusName(NAME, bus)
    Manager(bus, log)
    print(f"ready {name.get_name()}", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
