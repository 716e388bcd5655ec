//! What generated text adds to an answer, and the place where such deltas are gathered.

use super::ids::Ids;
use super::tools::Tools;

/// What more there is of an answer, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// Text for the user to read.
    Text(String),
    /// Text that the model thinks and does not say.
    Reasoning(String),
    /// A tool call begins.
    CallBegin {
        /// Counts the calls of an answer from 0; malformed ones that were announced count, too.
        index: u32,
        /// By which the tool's result will name this call.
        id: String,
        /// The tool's name, which need not be one that was offered.
        name: String,
    },
    /// More of a call's arguments. The texts of one index, joined, are the text of one JSON object once the call has ended.
    CallArguments {
        /// The call's index.
        index: u32,
        /// JSON text.
        text: String,
    },
    /// A call is whole.
    CallEnd {
        /// The call's index.
        index: u32,
    },
    /// Text that was begun as a call and is none: it broke off, or it does not have the form that it should.
    Malformed {
        /// The call that was announced by [`Delta::CallBegin`] and has to be withdrawn; `None` if none was.
        index: Option<u32>,
        /// All of its text, as the model wrote it.
        text: String,
    },
}

/// Where readers put what they have read. Neighbouring deltas of a kind become one.
#[derive(Debug)]
pub(super) struct Deltas {
    out: Vec<Delta>,
    ids: Ids,
    next_index: u32,
    /// The call that has begun and has not ended.
    open: Option<u32>,
    /// While it may turn out that what is read was none of the answer: how many deltas, and how many calls, there were before.
    draft: Option<(usize, u32)>,
    pub tools: Tools,
}

impl Deltas {
    pub fn new(tools: Tools, ids: Ids) -> Self {
        Self { out: Vec::new(), ids, next_index: 0, open: None, draft: None, tools }
    }

    /// Moves what has been gathered to the end of `out`, but for what may be withdrawn.
    pub fn drain_into(&mut self, out: &mut Vec<Delta>) {
        let sure = self.draft.map_or(self.out.len(), |(deltas, _)| deltas);
        out.extend(self.out.drain(..sure));
        self.draft = self.draft.map(|(_, calls)| (0, calls));
    }

    /// What follows may be withdrawn.
    pub fn begin_draft(&mut self) {
        self.draft = Some((self.out.len(), self.next_index));
    }

    /// What came since stands. Whether that is a call.
    pub fn keep_draft(&mut self) -> bool {
        self.draft.take().is_some_and(|(_, calls)| calls < self.next_index)
    }

    /// What came since is withdrawn.
    pub fn drop_draft(&mut self) {
        if let Some((deltas, calls)) = self.draft.take() {
            self.out.truncate(deltas);
            (self.next_index, self.open) = (calls, None);
        }
    }

    pub fn text(&mut self, text: &str) {
        match self.out.last_mut() {
            _ if text.is_empty() => {}
            Some(Delta::Text(last)) => last.push_str(text),
            _ => self.out.push(Delta::Text(text.to_owned())),
        }
    }

    pub fn reasoning(&mut self, text: &str) {
        match self.out.last_mut() {
            _ if text.is_empty() => {}
            Some(Delta::Reasoning(last)) => last.push_str(text),
            _ => self.out.push(Delta::Reasoning(text.to_owned())),
        }
    }

    /// Announces a call, by the name under which its tool was offered if one was; `id` is the one that the text carries, if it carries
    /// one.
    pub fn begin(&mut self, name: &str, id: Option<String>) {
        let name = self.tools.offered(name).unwrap_or(name).to_owned();
        self.announce(name, id);
    }

    /// Announces a call by this very name.
    pub fn announce(&mut self, name: String, id: Option<String>) {
        let index = self.next_index;
        self.next_index += 1;
        self.open = Some(index);
        let id = id.unwrap_or_else(|| self.ids.make(index, &name));
        self.out.push(Delta::CallBegin { index, id, name });
    }

    /// More arguments of the call that is open.
    pub fn arguments(&mut self, more: &str) {
        let Some(index) = self.open else { return };
        match self.out.last_mut() {
            _ if more.is_empty() => {}
            Some(Delta::CallArguments { text, .. }) => text.push_str(more),
            _ => self.out.push(Delta::CallArguments { index, text: more.to_owned() }),
        }
    }

    /// Ends the call that is open, if one is.
    pub fn end(&mut self) {
        if let Some(index) = self.open.take() {
            self.out.push(Delta::CallEnd { index });
        }
    }

    /// Gives `raw` back as text that is no call, and withdraws the call that is open.
    pub fn malformed(&mut self, raw: &str) {
        let index = self.open.take();
        if index.is_some() || !raw.is_empty() {
            self.out.push(Delta::Malformed { index, text: raw.to_owned() });
        }
    }

    /// Whether a call has been announced and not ended.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// How many calls have been announced.
    pub fn announced(&self) -> u32 {
        self.next_index
    }
}
