//! One answer in the making: prompt, queued steps, stop conditions, events.

use std::collections::VecDeque;

use web_time::Instant;

use super::Engine;
use super::event::{Event, Finish, Timings, Usage};
use super::request::{Request, RequestError};
use crate::error::Error;
use crate::kernels::sampling::{BIASED, MAX_STOPS, history_words, stop_words};
use crate::plan::Pending;
use crate::text::{Special, StopMatcher, StreamDecoder, TemplateInput};

/// Steps in a submission once an answer is under way: a read for every four tokens.
const GROUP: u32 = 4;
/// Submissions queued ahead, so that the GPU works while the CPU waits.
const AHEAD: usize = 2;

/// One answer in the making. Move it on with [`Engine::next`].
#[derive(Debug)]
pub struct Generation {
    id: u64,
    request: Request,
    prompt: Vec<u32>,
    /// Position at which generation must end.
    limit: u32,
    decoder: StreamDecoder,
    stops: StopMatcher,
    stop_ids: Vec<u32>,
    phase: Phase,
    /// Reads under way, oldest first, each with its number of tokens.
    queued: VecDeque<(Pending, u32)>,
    /// Steps submitted so far.
    submitted: u32,
    events: VecDeque<Event>,
    generated: Vec<u32>,
    cancelled: bool,
    usage: Usage,
    started: Instant,
    first_token: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    /// Tokens of the prompt whose keys and values are there.
    Prefill(u32),
    Decode,
    Done,
}

impl Generation {
    /// Ends the answer: no step is submitted any more, and the next event is the last.
    pub fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// Ids of the tokens generated so far.
    pub fn tokens(&self) -> &[u32] {
        &self.generated
    }

    /// Number of tokens of the prompt.
    pub fn prompt_tokens(&self) -> usize {
        self.prompt.len()
    }

    fn timings(&self) -> Timings {
        let millis = |from: Instant, to: Instant| to.duration_since(from).as_secs_f64() * 1e3;
        let first = self.first_token.unwrap_or(self.started);
        Timings { prefill_ms: millis(self.started, first), decode_ms: millis(first, Instant::now()) }
    }
}

impl Engine {
    /// Checks a request and turns it into a generation. The device is not touched before the first [`Engine::next`].
    ///
    /// # Errors
    /// [`Error::Request`], [`Error::Template`].
    pub fn generate(&mut self, request: Request) -> Result<Generation, Error> {
        request.check()?;
        let prompt = self.prompt(&request)?;
        let context = self.runner.context();
        if prompt.is_empty() {
            return Err(RequestError::Empty.into());
        }
        if prompt.len() >= context as usize {
            return Err(RequestError::TooLong { tokens: prompt.len(), context }.into());
        }
        let room = context - prompt.len() as u32;
        let limit = prompt.len() as u32 + request.max_tokens.unwrap_or(room).min(room);
        let mut stop_ids = self.tokenizer.stop_ids().to_vec();
        stop_ids.truncate(MAX_STOPS);
        self.next_id += 1;
        Ok(Generation {
            id: self.next_id,
            decoder: StreamDecoder::new(self.tokenizer.clone()),
            stops: StopMatcher::new(request.stop.strings()),
            stop_ids,
            limit,
            phase: Phase::Waiting,
            queued: VecDeque::new(),
            submitted: 0,
            events: VecDeque::new(),
            generated: Vec::new(),
            cancelled: false,
            usage: Usage { prompt_tokens: prompt.len() as u32, ..Usage::default() },
            started: Instant::now(),
            first_token: None,
            prompt,
            request,
        })
    }

    /// The prompt's text for a conversation, as the model's template renders it.
    ///
    /// # Errors
    /// [`RequestError::NoTemplate`], or what the template says.
    pub fn render(&self, request: &Request) -> Result<String, Error> {
        let template = self.template.as_ref().ok_or(RequestError::NoTemplate)?;
        let ids = self.tokenizer.special_ids();
        let text = |id: Option<u32>| {
            id.map(|id| String::from_utf8_lossy(self.tokenizer.token_bytes(id)).into_owned()).unwrap_or_default()
        };
        let (bos, eos) = (text(ids.bos), text(ids.eos));
        let input = TemplateInput {
            messages: &request.messages,
            tools: request.tools.as_deref().filter(|tools| !tools.is_empty()),
            documents: None,
            add_generation_prompt: true,
            continue_final_message: false,
            bos_token: &bos,
            eos_token: &eos,
            extra: request.chat_template_kwargs.as_ref(),
            local_time: request.local_time,
        };
        Ok(template.render(&input)?)
    }

    fn prompt(&self, request: &Request) -> Result<Vec<u32>, Error> {
        match &request.prompt {
            Some(text) => Ok(self.tokenizer.encode(text, Special::AsText, self.tokenizer.adds_bos())),
            None => {
                let text = self.render(request)?;
                let bos = self.tokenizer.special_ids().bos.map(|id| self.tokenizer.token_bytes(id));
                let has_bos = bos.is_some_and(|bos| text.as_bytes().starts_with(bos));
                Ok(self.tokenizer.encode(&text, Special::Parse, self.tokenizer.adds_bos() && !has_bos))
            }
        }
    }

    /// The next event of a generation; none after [`Event::Done`].
    ///
    /// # Errors
    /// [`RequestError::Busy`] while another generation is under way; failures of the device, after which nothing follows.
    pub async fn next(&mut self, generation: &mut Generation) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = generation.events.pop_front() {
                return Ok(Some(event));
            }
            let moved = match generation.phase {
                Phase::Done => return Ok(None),
                _ if generation.cancelled => {
                    self.finish(generation, Finish::Aborted);
                    Ok(())
                }
                Phase::Waiting => self.begin(generation).await,
                Phase::Prefill(done) => self.prefill(generation, done).await,
                Phase::Decode => self.decode(generation).await,
            };
            if let Err(error) = moved {
                generation.phase = Phase::Done;
                self.release(generation);
                self.cached.clear();
                return Err(error);
            }
        }
    }

    async fn begin(&mut self, generation: &mut Generation) -> Result<(), Error> {
        if self.active.is_some_and(|active| active != generation.id) {
            return Err(RequestError::Busy.into());
        }
        self.active = Some(generation.id);
        while let Some(pending) = self.abandoned.pop_front() {
            pending.wait().await?;
        }
        generation.started = Instant::now();
        // The last token always goes through the decode plan, which answers it.
        let prompt = &generation.prompt[..generation.prompt.len() - 1];
        let same = self.cached.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        self.cached.truncate(same);
        generation.usage.cached_tokens = same as u32;
        generation.phase = Phase::Prefill(same as u32);
        Ok(())
    }

    async fn prefill(&mut self, generation: &mut Generation, done: u32) -> Result<(), Error> {
        let last = generation.prompt.len() - 1;
        if (done as usize) < last {
            let end = last.min((done + self.runner.chunk()) as usize);
            let tokens = &generation.prompt[done as usize..end];
            self.runner.prefill(done, tokens).await?;
            self.cached.extend_from_slice(tokens);
            generation.phase = Phase::Prefill(end as u32);
            return Ok(());
        }
        let request = &generation.request;
        let seed = generation.id ^ seed_of_now();
        let mut params = request.sampling(&self.recommended, generation.limit, seed);
        let bias = request.bias()?;
        params.flags |= if bias.is_empty() { 0 } else { BIASED };
        let history = history_words(self.runner.model().config().vocab, &generation.prompt, &bias);
        let stops = stop_words(&generation.stop_ids).unwrap_or_default();
        self.runner.begin(generation.prompt[last], last as u32, params, &history, &stops);
        generation.phase = Phase::Decode;
        Ok(())
    }

    async fn decode(&mut self, generation: &mut Generation) -> Result<(), Error> {
        while generation.queued.len() < AHEAD && !generation.all_submitted() {
            let steps = generation.next_group();
            generation.queued.push_back((self.runner.decode(generation.submitted, steps), steps));
            generation.submitted += steps;
        }
        let Some((pending, steps)) = generation.queued.pop_front() else {
            self.finish(generation, Finish::Length);
            return Ok(());
        };
        let tokens: Vec<u32> = bytemuck::pod_collect_to_vec(&pending.wait().await?);
        generation.first_token.get_or_insert_with(Instant::now);
        for token in &tokens[..steps as usize] {
            if let Some(finish) = self.accept(generation, *token) {
                self.finish(generation, finish);
                break;
            }
        }
        Ok(())
    }

    /// Takes one generated token; the reason to end, if it is one.
    fn accept(&mut self, generation: &mut Generation, token: u32) -> Option<Finish> {
        // A step has computed keys and values of the token before the one it chose.
        let fed = generation.generated.last().copied().unwrap_or(generation.prompt[generation.prompt.len() - 1]);
        self.cached.push(fed);
        generation.generated.push(token);
        generation.usage.completion_tokens += 1;
        if generation.stop_ids.contains(&token) {
            return Some(Finish::Stop);
        }
        let decoded = generation.decoder.push(token);
        let (text, stopped) = generation.stops.push(&decoded);
        if !text.is_empty() {
            generation.events.push_back(Event::Text { text });
        }
        let end = generation.prompt.len() + generation.generated.len() >= generation.limit as usize;
        match (stopped, end) {
            (true, _) => Some(Finish::Stop),
            (false, true) => Some(Finish::Length),
            (false, false) => None,
        }
    }

    fn finish(&mut self, generation: &mut Generation, reason: Finish) {
        generation.phase = Phase::Done;
        self.release(generation);
        if reason != Finish::Aborted {
            let (mut text, stopped) = generation.stops.push(&generation.decoder.flush());
            if !stopped {
                text += &generation.stops.flush();
            }
            if !text.is_empty() {
                generation.events.push_back(Event::Text { text });
            }
        }
        let (usage, timings) = (generation.usage, generation.timings());
        generation.events.push_back(Event::Done { reason, usage, timings });
    }

    /// Gives the device to whoever comes next.
    fn release(&mut self, generation: &mut Generation) {
        self.abandoned.extend(generation.queued.drain(..).map(|(pending, _)| pending));
        if self.active == Some(generation.id) {
            self.active = None;
        }
    }

    /// Ends a generation that nobody will move on any more, so that another can begin.
    pub fn abandon(&mut self, generation: &mut Generation) {
        if generation.phase != Phase::Done {
            generation.phase = Phase::Done;
            self.release(generation);
        }
    }
}

impl Generation {
    fn all_submitted(&self) -> bool {
        self.prompt.len() as u32 + self.submitted >= self.limit
    }

    /// Steps of the next submission: one, so that the first token comes at once; then what completes a group; then groups.
    fn next_group(&self) -> u32 {
        let wanted = match self.submitted {
            0 => 1,
            steps => GROUP - steps % GROUP,
        };
        wanted.min(self.limit - self.prompt.len() as u32 - self.submitted)
    }
}

/// A seed that differs from answer to answer, where the caller gave none.
fn seed_of_now() -> u64 {
    let now = web_time::SystemTime::now().duration_since(web_time::UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64
}
