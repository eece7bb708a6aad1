//! Clients: look-ups, writes and readings, asked of a node from outside as a user would.

use std::time::Duration;

use cuerda::http::control::{FoundRecord as Reading, Lookup, Stored};
use cuerda::http::{Code, Problem};
use cuerda_core::chord::Input;
use cuerda_core::protocol::{
    AccessError, Condition, Denied, Fetched, LookupError, OwnerFound, Write, Written,
};
use cuerda_core::record::{Field, Record, Stamp};
use cuerda_core::ring::Id;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::Response;

use super::{Asked, Told, What, World};

/// How long a node may take to answer: longer than it waits for others.
const PATIENCE: Duration = Duration::from_secs(12);

/// A client of the control interface.
pub(super) fn agent(patience: Duration) -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(patience))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .build();
    config.into()
}

/// Why there is no answer: what the node said, or `None` if it said nothing that makes sense.
type Refusal = Option<Box<Problem>>;

/// Asks the node at this place, and tells what came of the question of this number.
type Ask = Box<dyn FnOnce(u64, &str) -> What + Send>;

impl World {
    /// Asks a machine what a client would, beside whatever else goes on. False if no client asks
    /// such a thing.
    pub(super) fn ask(&mut self, number: u32, input: Input) -> bool {
        let (token, key, ask): (u64, Id, Ask) = match input {
            Input::Lookup { token, key, .. } => (
                token,
                key,
                Box::new(move |question, place| {
                    let (result, timeouts) = look_up(place, key);
                    What::LookedUp(question, result, timeouts)
                }),
            ),
            Input::Write { token, key, write } => (
                token,
                key,
                Box::new(move |question, place| {
                    What::Wrote(question, self::write(place, key, &write))
                }),
            ),
            Input::Read { token, key, past } => (
                token,
                key,
                Box::new(move |question, place| {
                    What::Read(question, Box::new(read(place, key, past)))
                }),
            ),
            _ => return false,
        };
        self.questions += 1;
        let question = self.questions;
        let epoch = self.machines[number as usize].epoch;
        let asked = Asked {
            number,
            epoch,
            token,
            key,
        };
        self.asked.insert(question, asked);
        let (sender, clock) = (self.sender.clone(), self.clock);
        let place = self.control(number);
        super::beside(move || {
            let what = ask(question, &place);
            let told = Told {
                at: clock.real(),
                number,
                epoch,
                what,
            };
            let _ = sender.send(told);
        });
        true
    }

    /// Where a machine answers clients.
    pub(super) fn control(&self, number: u32) -> String {
        format!("{}:4080", self.layout.address(number))
    }
}

/// Tells a node to leave. It may be gone before it has answered.
pub(super) fn leave(place: &str) -> Result<(), String> {
    let agent = agent(Duration::from_secs(120));
    match agent.post(format!("http://{place}/v1/leave")).send_empty() {
        Ok(mut response) if !response.status().is_success() => {
            let said = response.body_mut().read_to_string();
            Err(said.unwrap_or_else(|error| error.to_string()))
        }
        Err(ureq::Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Err(error.to_string())
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

fn answer<T: DeserializeOwned>(
    called: Result<Response<ureq::Body>, ureq::Error>,
) -> Result<T, Refusal> {
    let mut response = called.map_err(|_| None)?;
    let succeeded = response.status().is_success();
    let text = response.body_mut().read_to_string().map_err(|_| None)?;
    if succeeded {
        return serde_json::from_str(&text).map_err(|_| None);
    }
    Err(serde_json::from_str(&text).ok().map(Box::new))
}

fn look_up(place: &str, key: Id) -> (Result<OwnerFound, LookupError>, u32) {
    let url = format!("http://{place}/v1/lookup/{key}?id=true");
    match answer::<Lookup>(agent(PATIENCE).get(url).call()) {
        Ok(Lookup { answer: found, .. }) => {
            let timeouts = found.timeouts;
            let found = OwnerFound {
                owner: found.owner,
                hops: found.hops,
                hops_to_predecessor: found.hops_to_predecessor,
            };
            (Ok(found), timeouts)
        }
        Err(refusal) => (Err(why_no_owner(refusal.as_deref())), 0),
    }
}

/// A client that hears nothing knows as much as one whose node stopped.
fn why_no_owner(refusal: Option<&Problem>) -> LookupError {
    match refusal.and_then(Problem::known_code) {
        Some(Code::NotMember) => LookupError::NotMember,
        Some(Code::NoRoute) => LookupError::NoRoute,
        Some(Code::Busy) => LookupError::TooManyLookups,
        _ => LookupError::Stopped,
    }
}

fn write(place: &str, key: Id, write: &Write) -> Result<Written, AccessError> {
    let mut url = format!(
        "http://{place}/v1/records/{key}?id=true&past={}",
        write.past
    );
    if let Some(lives) = write.lives {
        url += &format!("&ttl={}ms", lives.as_millis());
    }
    match write.condition {
        Condition::None => {}
        Condition::Absent => url += "&if-absent=true",
        Condition::Stamp(stamp) => url += &format!("&if-stamp={stamp}"),
    }
    let agent = agent(PATIENCE);
    let called = match &write.value {
        Some(value) => agent.put(url).send(value.as_bytes()),
        None => agent.delete(url).call(),
    };
    let stored = answer::<Stored>(called).map_err(|refusal| why_not(refusal.as_deref()))?;
    let enough = stored.holders.len() >= usize::from(stored.wanted);
    Ok(Written {
        stamp: stored.stamp.0,
        holders: stored.holders,
        wanted: stored.wanted,
        // With enough holders, nothing else can be missing.
        majority: stored.complete || !enough,
    })
}

fn why_not(refusal: Option<&Problem>) -> AccessError {
    let Some(problem) = refusal else {
        return AccessError::Lookup(LookupError::Stopped);
    };
    match problem.known_code() {
        Some(Code::Changed) => {
            AccessError::Denied(Denied::Changed(problem.stamp.as_ref().map(|stamp| stamp.0)))
        }
        // A deletion of what is not there.
        Some(Code::NoSuchKey | Code::NoSuchField) => AccessError::Denied(Denied::Changed(None)),
        Some(Code::Beaten) => AccessError::Denied(Denied::Beaten),
        Some(Code::NoOwner | Code::TimedOut) => AccessError::NoOwner,
        Some(Code::Uncertain) => AccessError::Uncertain,
        Some(Code::Busy) => AccessError::TooManyAccesses,
        _ => AccessError::Lookup(why_no_owner(refusal)),
    }
}

fn read(place: &str, key: Id, past: Stamp) -> Result<Fetched, AccessError> {
    let url = format!("http://{place}/v1/records/{key}?id=true&field=&past={past}");
    let request = agent(PATIENCE)
        .get(url)
        .header("accept", "application/json");
    match answer::<Reading>(request.call()) {
        Ok(found) => {
            let fields = found.fields.into_iter().map(|(name, field)| {
                let value = field.value.0;
                (
                    name,
                    Field::new(field.stamp.0, None, value, field.expires_ms),
                )
            });
            Ok(Fetched {
                record: Some(fields.collect::<Record>()),
                authoritative: found.authoritative,
                from: found.from,
                clock: found.clock.0,
                now: 0,
            })
        }
        Err(Some(problem))
            if matches!(
                problem.known_code(),
                Some(Code::NoSuchKey | Code::NoSuchField)
            ) =>
        {
            Ok(Fetched {
                record: None,
                authoritative: true,
                // Nobody in particular: it is not told who has nothing.
                from: cuerda_core::ring::Peer {
                    id: key,
                    address: crate::world::address_of(0),
                },
                clock: past,
                now: 0,
            })
        }
        Err(refusal) => Err(why_not(refusal.as_deref())),
    }
}
