//! Code as a call: what a model writes for an interpreter, with no arguments around it, becomes `{"code": "…"}`.

use super::delta::Deltas;
use super::input::Input;
use super::json;
use super::reader::Step;

/// Names under which interpreters are offered; the first is used when none was.
pub(super) const INTERPRETERS: [&str; 4] = ["python", "ipython", "code_interpreter", "execute_python"];

/// What ends code.
#[derive(Debug)]
pub(super) struct CodeForm {
    /// Markers that end the code and are no part of it; the end of the answer does, too.
    pub ends: &'static [&'static str],
}

/// Passes code on to the tool `name`.
#[derive(Debug)]
pub(super) struct CodeReader {
    form: &'static CodeForm,
    name: String,
    begun: bool,
}

impl CodeReader {
    pub fn new(form: &'static CodeForm, name: &str) -> Self {
        Self { form, name: name.to_owned(), begun: false }
    }

    /// Reads as far as the text goes.
    pub fn read(&mut self, input: &mut Input, deltas: &mut Deltas) -> Step {
        if !self.begun {
            input.skip_whitespace();
            match input.rest().is_empty() {
                true if input.has_ended() => return Step::Fail,
                true => return Step::Wait,
                false => {}
            }
            deltas.begin(&self.name, None);
            deltas.arguments("{\"code\":\"");
            self.begun = true;
        }
        let end = input.find(self.form.ends);
        let len = end.map_or(input.rest().len(), |(offset, _)| offset);
        let mut text = String::new();
        json::push_quoted(&input.rest()[..len], &mut text);
        deltas.arguments(&text);
        input.skip(len);
        // The marker itself stays, since it may begin something else.
        let over = matches!(end, Some((_, Some(_)))) || input.is_whole();
        if !over {
            return Step::Wait;
        }
        deltas.arguments("\"}");
        deltas.end();
        Step::Done
    }
}
