"""What people fill in, as widgets of Jupyter: the form of a runbook's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.display.params import expected, params_html, params_text
from jupyter_runbook.display.words import safe
from jupyter_runbook.errors import BadInput, Where
from jupyter_runbook.form import MISSING, form_of, text_of
from jupyter_runbook.notebook import PARAMETERS, cell_info, notebook_path, read_notebook
from jupyter_runbook.parameters import HOW, declared, declared_in
from jupyter_runbook.secret import Secret
from jupyter_runbook.secret.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from pathlib import Path

    from jupyter_runbook.form import Field
    from jupyter_runbook.parameters import Parameter

__all__ = ["ParameterForm", "show_parameters", "show_values"]


def show_parameters(shell: Any, source: str | None, typed: dict[Parameter, Any]) -> str | None:
    """Show the runbook's parameters: a form where somebody can fill it in, else what they are; a terminal's, as text.

    Parameters
    ----------
    shell
        IPython's shell.
    source
        The parameters cell as it ran last in this kernel; None for the one in the notebook's file.
    typed
        What was typed into this kernel's forms; what is typed into this one is added.

    Raises
    ------
    BadInput
        There is no parameters cell.
    """
    info = cell_info(shell)
    names = shell.user_ns
    fields = form_of(_declared(notebook_path(shell, info), source), names, typed)
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return params_text(fields, Redactor().text)
    if info.handed is not None or not getattr(kernel, "_allow_stdin", False):
        show_values(fields)
    else:
        ParameterForm(fields, names, typed).show()
    return None


def _declared(path: Path | None, source: str | None) -> dict[str, Parameter]:
    name = path.name if path else "this notebook"
    if source is not None:
        return declared_in(source, Where(name, PARAMETERS))
    known = declared(read_notebook(path, name), name) if path else None
    if known is None:
        raise BadInput(
            f"{name} has no parameters cell" if path else "the notebook's file is not known here",
            hint=f"{HOW}, and run it",
        )
    return known


class ParameterForm:
    """A form that gives the notebook's variables what is typed into it, as it is typed.

    What does not fit is told beside its field, and the variable keeps the value that it had. Below the form stands a
    table of the values: a saved notebook, which has no widgets, still has it.

    Parameters
    ----------
    fields
        The parameters.
    names
        The notebook's names, to bind in.
    typed
        Where what is typed is kept by its parameter, for the next form.
    """

    def __init__(
        self, fields: Sequence[Field], names: MutableMapping[str, Any], typed: MutableMapping[Parameter, Any]
    ) -> None:
        self._fields = fields
        self._names = names
        self._typed = typed
        self._values: Any = None
        for field in fields:
            self._bind(field)

    def show(self) -> None:
        """Show the form, and the table below it."""
        from IPython.display import display

        display(self.widget())  # type: ignore[no-untyped-call]
        self._values = show_values(self._fields)

    def widget(self) -> Any:
        """Return the form."""
        import ipywidgets

        rows = [part for field in self._fields for part in self._row(field)]
        columns = ipywidgets.Layout(
            align_items="center", grid_gap="4px 12px", grid_template_columns="max-content minmax(12em, 24em) 1fr"
        )
        return ipywidgets.GridBox(rows, layout=columns)

    def _row(self, field: Field) -> tuple[Any, Any, Any]:
        """Return a parameter's row: its name, its field, and what is to be told of it."""
        import ipywidgets

        said = ipywidgets.HTML(_said(field))
        entry = _entry(field)
        entry.layout.width = "auto"
        entry.add_class(f"jp-RunbookForm-{field.parameter.name}")

        def enter(change: dict[str, Any]) -> None:
            text = change["new"]
            if field.kind == "secret":
                if not text:
                    return
                field.enter(text)
                # A widget's state can be saved with the notebook: what was typed must not stay in it.
                entry.value = ""
                entry.placeholder = _placeholder(field)
            elif field.kind == "text":
                field.enter(text)
            else:
                field.choose(text)
            said.value = _said(field)
            if field.error is None:
                self._typed[field.parameter] = field.value
            self._bind(field)
            if self._values is not None:
                self._values.update(_bundle(self._fields), raw=True)

        entry.observe(enter, names="value")
        return ipywidgets.HTML(f"<b>{safe(field.parameter.name)}</b>"), entry, said

    def _bind(self, field: Field) -> None:
        if field.value is not MISSING and field.error is None:
            self._names[field.parameter.name] = field.value


def show_values(fields: Sequence[Field]) -> Any:
    """Show the parameters' values, and return the display's handle."""
    from IPython.display import display

    return display(_bundle(fields), raw=True, display_id=True)  # type: ignore[no-untyped-call]


def _bundle(fields: Sequence[Field]) -> dict[str, str]:
    clean = Redactor().text
    return {"text/html": params_html(fields, clean), "text/plain": params_text(fields, clean)}


def _entry(field: Field) -> Any:
    """Return the widget that a parameter is asked for with; it tells of every key, but for a secret's."""
    import ipywidgets

    if field.kind == "secret":
        return ipywidgets.Password(continuous_update=False, placeholder=_placeholder(field))
    if field.kind == "switch":
        return ipywidgets.Checkbox(value=field.value is True, indent=False)
    if field.kind == "choice":
        options = [(text_of(choice), choice) for choice in field.parameter.choices]
        if "None" in field.parameter.types and None not in field.parameter.choices:
            options.append(("None", None))
        return ipywidgets.Dropdown(options=options, value=None if field.error else field.value)
    return ipywidgets.Text(value=text_of(field.value), continuous_update=True)


def _placeholder(field: Field) -> str:
    return "set; type to change it" if isinstance(field.value, Secret) else "not set"


def _said(field: Field) -> str:
    if field.error:
        return f"<b>✗ {safe(Redactor().text(field.error))}</b>"
    return safe(" · ".join(filter(None, [expected(field), field.parameter.description])))
