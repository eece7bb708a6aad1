//! How many connections are served at a time.
//!
//! A connection that has not asked for anything yet has a place among those that open, for as long
//! as a head may take. What it asks for decides where it goes from there: health checks have places
//! of their own, so that nobody who holds all the others makes a node look dead.

use std::sync::Arc;

use axum::http::{HeaderValue, Request, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::code::Code;
use super::limits;
use super::problem::Problem;

/// The places of a server.
#[derive(Clone, Debug)]
pub(super) struct Places {
    opening: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    health: Arc<Semaphore>,
}

/// The place that a connection has, until it ends.
#[derive(Clone, Debug)]
pub(super) struct Place {
    places: Places,
    /// A connection has one request at a time, so nobody waits for this.
    held: Arc<Mutex<Held>>,
}

#[derive(Debug)]
enum Held {
    /// Nothing has been asked for yet.
    Opening(#[expect(dead_code, reason = "it is held, not looked at")] OwnedSemaphorePermit),
    /// A health check, after which the connection ends.
    Health(#[expect(dead_code, reason = "it is held, not looked at")] OwnedSemaphorePermit),
    /// Anything else, and whatever comes after it on the same connection.
    Request(#[expect(dead_code, reason = "it is held, not looked at")] OwnedSemaphorePermit),
}

impl Places {
    pub(super) fn new() -> Places {
        let all = |count| Arc::new(Semaphore::new(count));
        Places {
            opening: all(limits::OPENING),
            requests: all(limits::CONNECTIONS),
            health: all(limits::HEALTH),
        }
    }

    /// A place for one more connection, once there is one.
    pub(super) async fn open(&self) -> Place {
        let opening = Arc::clone(&self.opening).acquire_owned().await;
        let opening = opening.expect("nobody closes the semaphore");
        Place {
            places: self.clone(),
            held: Arc::new(Mutex::new(Held::Opening(opening))),
        }
    }
}

impl Place {
    /// Takes the place that this request needs, or says that there is none. Whether the connection
    /// ends with the answer.
    pub(super) async fn take<B>(&self, request: &Request<B>) -> Result<Ends, Box<Response>> {
        let mut held = self.held.lock().await;
        if let Held::Request(_) = *held {
            return Ok(Ends::No);
        }
        let health = request.uri().path().starts_with("/health/");
        let places = match health {
            true => &self.places.health,
            false => &self.places.requests,
        };
        let place = timeout(limits::PLACE, Arc::clone(places).acquire_owned()).await;
        match place {
            Ok(Ok(place)) if health => *held = Held::Health(place),
            Ok(Ok(place)) => *held = Held::Request(place),
            Ok(Err(_)) | Err(_) => return Err(Box::new(busy())),
        }
        Ok(if health { Ends::Yes } else { Ends::No })
    }
}

/// Whether a connection ends with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    Yes,
    No,
}

impl Ends {
    /// The answer, which says so.
    pub(super) fn said(self, mut answer: Response) -> Response {
        if self == Ends::Yes {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(header::CONNECTION, close);
        }
        answer
    }
}

fn busy() -> Response {
    let problem = Problem::new(
        Code::Busy,
        format!("{} clients are served already", limits::CONNECTIONS),
        "try again when some of them have been answered",
    );
    Ends::Yes.said(problem.into_response())
}
