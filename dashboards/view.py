"""What all pages are: parameters that say what is asked, and the lake's answer to it."""

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from html import escape
from typing import Any, ClassVar, TypeAlias
from weakref import ReferenceType, ref

import panel as pn
import panel_material_ui as pmui
import param
import polars as pl

from dashboards import address, theme
from stackanalytics.errors import InputError, StackanalyticsError
from stackanalytics.lake import Lake

KEPT_ANSWERS = 64

Options: TypeAlias = Iterable[str] | Mapping[str, str]


def ask_once(analysis: Callable[..., pl.DataFrame], lake: Lake, **arguments: Any) -> pl.DataFrame:
    """Return what an analysis answers; at once, where some page asked this version the same before."""
    return _answer(analysis, ref(lake), tuple(arguments.items()))


@lru_cache(maxsize=KEPT_ANSWERS)
def _answer(
    analysis: Callable[..., pl.DataFrame], lake: ReferenceType[Lake], arguments: tuple[tuple[str, Any], ...]
) -> pl.DataFrame:
    # by reference, so that what is kept does not keep former versions of the lake open
    asked = lake()
    assert asked is not None, "the caller of ask_once holds it"
    return analysis(asked, **dict(arguments))


class View(param.Parameterized):
    """A page: give it the lake as a function, set its parameters, read ``answer``.

    ``QUESTION`` names the parameters that say what is asked. Where one is changed the lake is
    asked again, and ``answer`` has what it says, or ``problem`` why it says nothing. Before the
    first :meth:`look` both are empty. A page with ``LOOK_AGAIN_MS`` asks again whenever something
    has landed.
    """

    QUESTION: ClassVar[tuple[str, ...]] = ()
    TITLE: ClassVar[str] = ""
    LOOK_AGAIN_MS: ClassVar[int] = 0

    answer = param.Parameter(None, doc="what the lake says, frames of one version; None before it is asked")
    problem = param.String("", doc="why there is no answer")

    def __init__(self, current: Callable[[], Lake], **parameters: Any) -> None:
        """Take the lake, as a function that returns its newest version, and what is asked first."""
        super().__init__(**parameters)  # type: ignore[no-untyped-call]  # param has types in part
        self._current = current
        self._turn = threading.RLock()
        self._answered: tuple[object, ...] | None = None
        if self.QUESTION:
            self.param.watch(lambda *changes: self.look(), list(self.QUESTION))

    @abstractmethod
    def ask(self, lake: Lake) -> Any:
        """Return the answer to what the parameters ask."""

    def state_of(self, lake: Lake) -> object:
        """Return what the answer depends on beside the version of the lake."""
        return None

    @abstractmethod
    def content(self) -> pmui.Column:
        """Return what the page shows, as it stands in a notebook too."""

    def look(self) -> None:
        """Ask the lake at its newest version, unless the answer at hand is to that."""
        with self._turn:  # the last who waits reads the newest parameters, so its answer is the one that stays
            lake = self._current()
            question = (lake, self.state_of(lake), *(getattr(self, name) for name in self.QUESTION))
            if question == self._answered:
                return
            self._answered = question
            try:
                answer = self.ask(lake)
            except StackanalyticsError as problem:
                self.param.update(answer=None, problem=str(problem))
            else:
                self.param.update(answer=answer, problem="")

    def _look_again(self) -> None:
        pn.state.add_periodic_callback(self.look, self.LOOK_AGAIN_MS)

    def bound(self, shown: Callable[[Any], Any], otherwise: Any = None) -> Any:
        """Return what *shown* makes of the answer, as a value that follows it; *otherwise* while there is none."""
        return pn.bind(lambda answer: otherwise if answer is None else shown(answer), self.param.answer)

    def where(self, is_so: Callable[[Any], bool], *content: object) -> pmui.Column:
        """Return content that is there only while the answer is so."""
        return pmui.Column(*content, visible=self.bound(is_so, False), sizing_mode="stretch_width")

    def built_where(self, is_so: Callable[[Any], bool], build: Callable[[], object]) -> pmui.Column:
        """Return content that is there only while the answer is so, and is built when it first is.

        For tables: one that gets its rows while the browser still makes it stays empty. Not for
        plots: one that is added to a page disturbs its layout.
        """
        content = self.where(is_so)

        def follow(answer: Any) -> None:
            if not content.objects and answer is not None and is_so(answer):
                content.append(build())

        pn.bind(follow, self.param.answer, watch=True)
        follow(self.answer)
        return content

    def while_waiting(self) -> pmui.Column:
        """Return what is there while there is no answer: that one is sought, or why there is none."""
        is_waiting = pn.bind(
            lambda answer, problem: answer is None and not problem, self.param.answer, self.param.problem
        )
        return pmui.Column(
            theme.message("Asking the lake …", visible=is_waiting),
            pmui.Alert(
                object=pn.bind(escape, self.param.problem), severity="error", visible=self.param.problem.rx().rx.bool()
            ),
            sizing_mode="stretch_width",
        )

    def select(
        self, name: str, label: str, none: str | None, options: Options | Callable[[Any], Options], **style: Any
    ) -> pmui.Select:
        """Return a choice of the value of a parameter.

        The options are those given, or those that the answer offers (values, or values by their labels), the value
        at hand, and, where None is a value, the text *none* for it.
        """
        parameter = self.param[name]
        select = pmui.Select(
            label=label,
            options=pn.bind(partial(_choices, none, options), self.param.answer, parameter),
            value=pn.bind(lambda chosen: chosen or "", parameter),
            size="small",
            margin=0,
            sx={"height": "40px"},
            **style,
        )
        select.param.watch(lambda change: self.param.update(**{name: change.new or None}), "value")
        return select

    def search(
        self, name: str, label: str, options: Options | Callable[[Any], Options], **style: Any
    ) -> pmui.AutocompleteInput:
        """Return a choice of the value of a parameter among many: those are offered that contain what is typed."""
        parameter = self.param[name]
        field = pmui.AutocompleteInput(
            label=label,
            options=pn.bind(partial(_choices, None, options), self.param.answer, parameter),
            value=pn.bind(lambda chosen: chosen or None, parameter),
            case_sensitive=False,
            search_strategy="includes",
            min_characters=0,
            size="small",
            margin=0,
            **style,
        )
        field.param.watch(lambda change: self.param.update(**{name: change.new or None}), "value")
        return field

    def page(self) -> pmui.Page:
        """Return the page as the server shows it, its question in its address."""
        theme.prepare()
        try:
            address.share(self, self.QUESTION)
        except InputError as problem:
            self.problem = str(problem)
        else:
            pn.state.onload(self.look, threaded=True)
        if self.LOOK_AGAIN_MS:
            # begun late, since what is changed before the browser has the page may not reach it
            pn.state.onload(self._look_again)
        return theme.page(self.TITLE, self.content())


def _choices(
    none: str | None, options: Options | Callable[[Any], Options], answer: Any, chosen: str | None
) -> dict[str, str]:
    # the widget takes an empty text for a value, but not None
    offered = _labelled(options if not callable(options) else () if answer is None else options(answer))
    missing = {chosen: chosen} if chosen and chosen not in offered.values() else {}
    return ({none: ""} if none else {}) | offered | missing


def _labelled(options: Options) -> dict[str, str]:
    return dict(options) if isinstance(options, Mapping) else {option: option for option in options}
