"""Operations of one pattern: a task is asked for, a start, tasks on the way, a state, an end."""

from collections.abc import Iterator
from dataclasses import dataclass

from stackanalytics.sources.simulator.action import PLAIN, Action, Detail
from stackanalytics.sources.simulator.world import Story

WRONG = {
    "4xx": (404, "Resource could not be found."),
    "5xx": (500, "Unexpected error while talking to the hypervisor."),
    "state": (0, "Instance is in an unexpected power state."),
}


@dataclass(frozen=True, slots=True)
class Transition:
    """How one operation goes; *median* and *p97* (97th percentile) are its latency [s]."""

    needs: str
    task: str
    steps: tuple[str, ...]
    state: str
    median: float
    p97: float
    function: str
    relaunches: bool = False
    is_heavy: bool = False

    def waits(self, act: Action) -> Iterator[float]:
        """Draw how long each step takes [s]."""
        return act.waits(self.median, self.p97, len(self.steps) + 1, is_heavy=self.is_heavy)


TRANSITIONS = {
    "reboot": Transition(
        "active", "rebooting", ("reboot_pending", "reboot_started"), "active", 15, 120, "reboot_instance"
    ),
    "power_off": Transition("active", "powering-off", (), "stopped", 10, 60, "stop_instance"),
    "power_on": Transition("stopped", "powering-on", (), "active", 1, 30, "start_instance"),
    "pause": Transition("active", "pausing", (), "paused", 1, 10, "pause_instance"),
    "unpause": Transition("paused", "unpausing", (), "active", 1, 10, "unpause_instance"),
    "suspend": Transition("active", "suspending", (), "suspended", 8, 60, "suspend_instance"),
    "resume": Transition("suspended", "resuming", (), "active", 5, 60, "resume_instance"),
    "soft_delete": Transition("active", "soft-deleting", (), "soft-delete", 1, 10, "soft_delete_instance"),
    "restore": Transition("soft-delete", "restoring", (), "active", 5, 30, "restore_instance"),
    "rescue": Transition("active", "rescuing", (), "rescued", 60, 200, "rescue_instance", relaunches=True),
    "unrescue": Transition("rescued", "unrescuing", (), "active", 31, 200, "unrescue_instance"),
    "rebuild": Transition(
        "active",
        "rebuilding",
        ("rebuild_block_device_mapping", "rebuild_spawning"),
        "active",
        40,
        300,
        "rebuild_instance",
        relaunches=True,
        is_heavy=True,
    ),
}

BACK = {
    "power_off": "power_on",
    "pause": "unpause",
    "suspend": "resume",
    "rescue": "unrescue",
    "soft_delete": "restore",
}


def transition(act: Action, action: str) -> Story:
    """Reboot, stop, start, pause, suspend, rescue or rebuild an instance, or undo that."""
    recipe = TRANSITIONS[action]
    waits = recipe.waits(act)
    act.change(recipe.task, by=act.region.api)
    yield act.queueing()
    if action == "rebuild":
        act.exists()
        yield 0.05
    yield from carry_out(act, action, waits)


def carry_out(act: Action, action: str, waits: Iterator[float]) -> Story:
    """Do on the host what was asked for."""
    recipe, detail = TRANSITIONS[action], _detail(act, action)
    act.start(action, detail)
    yield next(waits)
    if act.fate != "success":
        yield from go_wrong(act, action, recipe.function)
        return
    for task in recipe.steps:
        act.change(task)
        yield next(waits)
    if action == "rescue":
        act.exists()
        yield 0.05
    if recipe.relaunches:
        act.relaunch()
    act.change(None, recipe.state)
    yield 0.04
    act.end(action, detail)
    if recipe.relaunches:
        act.launched()
    act.finish()


def go_wrong(act: Action, action: str, function: str) -> Story:
    """End an action as fate wants it: with an exception, in state error, or in silence."""
    if act.fate == "unfinished":
        act.instance.task = None
        act.finish("unfinished")
        return
    code, reason = WRONG[act.fate]
    act.exception(action, function, code, reason)
    yield 0.2
    act.change(None, "error" if act.fate == "state" else None)
    act.finish("error", code or None)


def _detail(act: Action, action: str) -> Detail:
    if action == "rebuild":
        extra = ',"fault":null,"trusted_image_certificates":null'
        return Detail("", extra, "InstanceActionRebuildPayload", "1.10")
    if action == "rescue":
        extra = f',"fault":null,"rescue_image_ref":"{act.instance.image.id}"'
        return Detail("", extra, "InstanceActionRescuePayload", "1.4")
    return PLAIN
