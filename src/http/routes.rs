//! A table of routes, from which a router is built.
//!
//! Whoever asks for a path that is not in the table is told all of it: so no route is served
//! unnamed, and none is named that is not served. What the answers are is none of its affair.

use std::fmt;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::{Method, Uri};
use axum::routing::{MethodFilter, MethodRouter, on};

use super::code::Code;
use super::problem::Problem;

/// A path with one of its methods, and who answers it.
pub(super) struct Route<S> {
    method: Method,
    path: &'static str,
    summary: &'static str,
    answers: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// A route; `summary` says in a line what it is for.
    ///
    /// # Panics
    /// If the method is none of HTTP's own.
    pub(super) fn new<T: 'static>(
        method: Method,
        path: &'static str,
        answers: impl Handler<T, S>,
        summary: &'static str,
    ) -> Route<S> {
        let filter = MethodFilter::try_from(method.clone());
        let filter = filter.expect("tables of routes have HTTP's own methods only");
        Route {
            method,
            path,
            summary,
            answers: on(filter, answers),
        }
    }

    /// The same with a body of so many bytes at most.
    pub(super) fn body_max(self, bytes: usize) -> Route<S> {
        Route {
            answers: self.answers.layer(DefaultBodyLimit::max(bytes)),
            ..self
        }
    }
}

/// `GET /v1/who/KEY (the processes that hold the key)`.
impl<S> fmt::Display for Route<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self
            .path
            .replace("{key}", "KEY")
            .replace("{group}", "GROUP");
        write!(f, "{} {path} ({})", self.method, self.summary)
    }
}

/// All routes of this interface, and the list of them in answer to any other path.
pub(super) fn router<S>(interface: &str, routes: Vec<Route<S>>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let (mut router, mut names) = (Router::new(), Vec::new());
    for route in routes {
        names.push(route.to_string());
        // The methods of a path are merged.
        router = router.route(route.path, route.answers);
    }
    let hint = format!("{interface} has {}", names.join(", "));
    router.fallback(async move |uri: Uri| {
        Problem::new(
            Code::NoSuchPath,
            format!("there is no {}", uri.path()),
            hint,
        )
    })
}
