//! Silences: who asks for them, and what they hold back.
//!
//! Invariant: a silence holds once its event is taken by the journal, and is over with its event.
//! Invariant: no secret is in what is said for the record.

use super::shared::Shared;
use crate::ports::{Boxed, Refused, Secrets, SilenceControl, SilenceRequest};
use mainstay_domain::{
    actor::Actor,
    alert::Alert,
    event::{Event, EventKind, SilenceBegan, SilenceEnded},
    id::{IdSource, SilenceId},
    measure,
    record::Change,
    severity::Severity,
    silence::{LONGEST_SILENCE, Silence, Silenced, Silences},
    time::{Timestamp, millis},
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};

/// The silences of this host.
pub struct SilenceService {
    shared: Shared,
    secrets: Arc<dyn Secrets>,
    state: Mutex<State>,
}

struct State {
    silences: Silences,
    ids: IdSource,
}

impl SilenceService {
    /// Goes on with those that the daemons before left.
    pub fn new(
        shared: Shared,
        secrets: Arc<dyn Secrets>,
        mut silences: Silences,
        ids: IdSource,
    ) -> Self {
        silences.resume(shared.clock.now(), shared.clock.monotonic());
        Self {
            shared,
            secrets,
            state: Mutex::new(State { silences, ids }),
        }
    }

    /// Why this alert is silenced, if it is.
    pub fn why(&self, alert: &Alert) -> Option<String> {
        let state = self.state.lock();
        let (silence, until) = state.silences.of(alert)?;
        let Silence { by, reason, .. } = silence;
        Some(format!("silenced by {by} until {until}: {reason}"))
    }

    /// Ends those whose time is over; how long until the next is.
    pub fn pass(&self) -> Option<Duration> {
        let monotonic = self.shared.clock.monotonic();
        let (over, next) = {
            let mut state = self.state.lock();
            let over = state.silences.end_due(monotonic);
            (over, state.silences.next_end())
        };
        for silence in over {
            let message = format!("the silence of {} is over", silence.of);
            self.shared
                .submit_event(self.ended(&silence, None, message));
        }
        next.map(|ends| ends.since(monotonic))
    }

    fn ended(&self, silence: &Silence, by: Option<Actor>, message: String) -> Event {
        let (by, note) = match by {
            Some(Actor { name, note }) => (Some(name), note),
            None => (None, None),
        };
        let facts = SilenceEnded {
            silence: silence.id.clone(),
            by,
            note,
        };
        let now = self.shared.clock.now();
        about(
            &silence.of,
            Event::new(EventKind::SilenceEnded, Severity::Low, now, message).with_data(facts),
        )
    }

    /// Why it cannot be, if it cannot.
    fn refuse(&self, request: &SilenceRequest) -> Result<(), Refused> {
        let spec = Arc::clone(&self.shared.spec.borrow());
        if let Silenced::Target(target) = &request.of
            && spec.target(target).is_none()
        {
            return Err(Refused(format!(
                "there is no target `{target}`; `mainstay status --all` lists them"
            )));
        }
        // What holds is known from events, which must outlive it.
        let longest = LONGEST_SILENCE.min(spec.host.keep_history);
        if request.length.is_zero() || request.length > longest {
            return Err(Refused(format!(
                "a silence of {} cannot be: more than nothing and at most {} is allowed",
                measure::length(request.length),
                measure::length(longest)
            )));
        }
        if self.state.lock().silences.all().count() >= Silences::MOST {
            return Err(too_many());
        }
        Ok(())
    }

    async fn write(&self, event: Event) -> Result<(), Refused> {
        let written = self
            .shared
            .journal
            .commit(vec![Change::Event(event)].into());
        let written = written.await;
        written
            .map(drop)
            .map_err(|error| Refused(error.to_string()))
    }
}

fn too_many() -> Refused {
    Refused(format!(
        "{} silences hold already; end some with `mainstay unsilence`",
        Silences::MOST
    ))
}

fn about(of: &Silenced, event: Event) -> Event {
    match of {
        Silenced::Target(target) => event.with_target(target),
        Silenced::Key(_) => event,
    }
}

impl SilenceControl for SilenceService {
    fn silence(&self, request: SilenceRequest) -> Boxed<'_, Result<(Silence, Timestamp), Refused>> {
        Box::pin(async move {
            self.refuse(&request)?;
            let SilenceRequest {
                of,
                length,
                reason,
                by,
            } = request;
            let now = self.shared.clock.now();
            let silence = Silence {
                id: SilenceId::new(self.state.lock().ids.next(now)),
                of,
                since: now,
                length,
                reason: self.secrets.conceal_text(&reason),
                by: self.secrets.conceal_note(by),
            };
            let Silence { by, reason, of, .. } = &silence;
            let message = format!(
                "{by} silenced {of} for {}: {reason}",
                measure::length(length)
            );
            let facts = SilenceBegan {
                silence: silence.id.clone(),
                key: match of {
                    Silenced::Key(key) => Some(key.clone()),
                    Silenced::Target(_) => None,
                },
                by: by.name.clone(),
                note: by.note.clone(),
                reason: reason.clone(),
                length_ms: millis(length),
            };
            let event = Event::new(EventKind::SilenceBegan, Severity::Low, now, message);
            self.write(about(of, event.with_data(facts))).await?;
            let monotonic = self.shared.clock.monotonic();
            match self.state.lock().silences.begin(silence.clone(), monotonic) {
                true => Ok((silence, now + length)),
                false => Err(too_many()),
            }
        })
    }

    fn unsilence(&self, id: SilenceId, by: Actor) -> Boxed<'_, Result<(), Refused>> {
        Box::pin(async move {
            let ended = self.state.lock().silences.end(&id);
            let Some(ended) = ended else {
                return Err(Refused(format!(
                    "no silence {id} holds; `mainstay silences` lists them"
                )));
            };
            let by = self.secrets.conceal_note(by);
            let silence = ended.silence();
            let message = format!("{by} ended the silence of {}", silence.of);
            let written = self.write(self.ended(silence, Some(by), message)).await;
            if written.is_err() {
                self.state.lock().silences.go_on(ended);
            }
            written
        })
    }

    fn silences(&self) -> Vec<(Silence, Timestamp)> {
        let state = self.state.lock();
        let all = state.silences.all();
        all.map(|(silence, until)| (silence.clone(), until))
            .collect()
    }
}
