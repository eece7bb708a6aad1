//! Asks a running node over its control interface.
//!
//! Every question ends within `--timeout`. What went wrong is told apart: nobody answers, the
//! node answers with a problem, or what answers is no node.

use std::ffi::OsStr;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use cuerda::http::{Check, Problem};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Response, StatusCode};

use super::{Code, Exit, Failure};

/// The longest answer that is read; a walk round a ring of ten thousand takes some 20 MiB.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Where a node answers commands unless it is told otherwise.
pub(crate) const USUAL: &str = "127.0.0.1:4080";

/// The variable that says it for all commands.
const VARIABLE: &str = "CUERDA_CONTROL";

/// Which node is asked, and how patiently.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Target {
    /// Where the node answers commands
    #[arg(
        long,
        env = VARIABLE,
        hide_env_values = true,
        value_name = "ADDRESS:PORT",
        default_value = USUAL
    )]
    pub(crate) control: String,
    /// How long to wait for the answer
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10s",
        value_parser = patience
    )]
    pub(crate) timeout: Duration,
}

/// How long one waits, which is not no time at all.
fn patience(text: &str) -> Result<Duration, String> {
    match super::config::duration(text)? {
        Duration::ZERO => Err("nobody answers in no time; leave it out for 10s".to_owned()),
        time => Ok(time),
    }
}

/// What a node answered: as it came, and as a value.
#[derive(Debug)]
pub(crate) struct NodeAnswer<T> {
    pub(crate) document: Value,
    pub(crate) value: T,
}

impl Target {
    /// Asks for something.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<NodeAnswer<T>, Failure> {
        let agent = self.agent();
        let request = agent.get(self.url(path)?);
        self.answer(request.header("accept", "application/json").call())
    }

    /// Puts something there.
    pub(crate) fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &[u8],
    ) -> Result<NodeAnswer<T>, Failure> {
        let agent = self.agent();
        self.answer(agent.put(self.url(path)?).send(body))
    }

    /// Deletes what is there.
    pub(crate) fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<NodeAnswer<T>, Failure> {
        let agent = self.agent();
        self.answer(agent.delete(self.url(path)?).call())
    }

    /// Asks to do something.
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str) -> Result<NodeAnswer<T>, Failure> {
        let agent = self.agent();
        self.answer(agent.post(self.url(path)?).send_empty())
    }

    /// Hands lines over, each a value as JSON.
    pub(crate) fn post_lines<T: DeserializeOwned>(
        &self,
        path: &str,
        lines: &[u8],
    ) -> Result<NodeAnswer<T>, Failure> {
        let agent = self.agent();
        let request = agent.post(self.url(path)?);
        let request = request.header("content-type", "application/x-ndjson");
        self.answer(request.send(lines))
    }

    fn agent(&self) -> Agent {
        let config = Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            // The node is asked, and nobody in its name.
            .proxy(None)
            .build();
        config.into()
    }

    fn url(&self, path: &str) -> Result<String, Failure> {
        // An empty variable is how many tools say that there is none.
        let given = match self.control.trim() {
            "" => USUAL,
            given => given,
        };
        let authority = given.strip_prefix("http://").unwrap_or(given);
        let authority = authority.trim_end_matches('/');
        let wrong = authority.is_empty()
            || authority.contains("://")
            || !authority.contains(':')
            || authority.contains(['/', '@', '?', '#', ' ']);
        if wrong {
            return Err(Failure::usage(
                format!("{given:?} is no address of a control interface"),
                "write --control 127.0.0.1:4080, or what the node calls `control`",
            ));
        }
        // What a node listens on, given by its own variable, may be all addresses.
        let authority = match authority.parse::<SocketAddr>() {
            Ok(mut address) if address.ip().is_unspecified() => {
                address.set_ip(match address {
                    SocketAddr::V4(_) => [127, 0, 0, 1].into(),
                    SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
                });
                address.to_string()
            }
            _ => authority.to_owned(),
        };
        Ok(format!("http://{authority}{path}"))
    }

    fn answer<T: DeserializeOwned>(
        &self,
        called: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<NodeAnswer<T>, Failure> {
        let mut response = called.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let text = body
            .read_to_string()
            .map_err(|error| self.unreachable(&error))?;
        // Accepted is what is done in part, and says so itself.
        if status != StatusCode::OK && status != StatusCode::ACCEPTED {
            return Err(match serde_json::from_str(&text) {
                Ok(problem) => refused(problem),
                Err(_) => self.no_node(&format!("it says {status}")),
            });
        }
        let document: Value =
            serde_json::from_str(&text).map_err(|error| self.no_node(&error.to_string()))?;
        let value = serde_json::from_value(document.clone())
            .map_err(|error| self.no_node(&error.to_string()))?;
        Ok(NodeAnswer { document, value })
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let at = &self.control;
        let (message, hint) = match error {
            ureq::Error::Timeout(_) => (
                format!("the node at {at} does not answer within {:?}", self.timeout),
                "wait longer with --timeout 30s, or look into the node's log",
            ),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => (
                format!("no node answers at {at}"),
                "start one with `cuerda node run`, or say where it answers with --control",
            ),
            error => (
                format!("can't reach a node at {at}: {error}"),
                "say where it answers with --control",
            ),
        };
        Failure::new(Code::Unreachable, message, hint)
    }

    fn no_node(&self, why: &str) -> Failure {
        Failure::new(
            Code::NotANode,
            format!(
                "what answers at {} is no node of this release: {why}",
                self.control
            ),
            "is --control the node's control interface, and of the same release?",
        )
    }
}

/// A problem told by the node.
fn refused(problem: Problem) -> Failure {
    let code = problem.known_code();
    let outside = |check: &Check| !check.ok && check.name == "member";
    let exit = match code {
        // The reason is among the checks: a node outside a ring is told from one that is ill.
        Some(Code::NotReady) if problem.checks.iter().any(outside) => Exit::Unreachable,
        // A later release may have others.
        code => code.unwrap_or(Code::Failed).exit(),
    };
    Failure {
        exit,
        code: problem.code,
        message: problem.detail,
        hint: problem.hint,
        diagnostic: None,
        checks: problem.checks,
    }
}

/// What is to be added to a command that asks this node, with a space before it: nothing where
/// commands ask anyway.
pub(crate) fn flag(control: SocketAddr) -> String {
    flag_beside(control, std::env::var_os(VARIABLE).as_deref())
}

/// The same, where the variable has this value.
fn flag_beside(control: SocketAddr, variable: Option<&OsStr>) -> String {
    let control = control.to_string();
    // Another terminal need not have the variable, so it counts only where it leads elsewhere.
    if control == USUAL && variable.is_none_or(|value| value.is_empty() || value == USUAL) {
        String::new()
    } else {
        format!(" --control {control}")
    }
}

/// What stands for itself in a part of a path. A dot does not: a name of dots alone would be taken
/// for a step up.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// A name as a part of a path: all but plain letters and digits percent-encoded.
pub(crate) fn encoded(name: &str) -> PercentEncode<'_> {
    utf8_percent_encode(name, PLAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(control: &str) -> Option<String> {
        let target = Target {
            control: control.to_owned(),
            timeout: Duration::from_secs(1),
        };
        target.url("/v1/status").ok()
    }

    #[test]
    fn addresses_are_taken_in_several_forms() {
        for (control, authority) in [
            ("127.0.0.1:4080", "127.0.0.1:4080"),
            ("http://node1.example:4080/", "node1.example:4080"),
            ("[::1]:4080", "[::1]:4080"),
            ("0.0.0.0:4080", "127.0.0.1:4080"),
            ("[::]:4080", "[::1]:4080"),
            ("", USUAL),
        ] {
            assert_eq!(url(control), Some(format!("http://{authority}/v1/status")));
        }
        for control in ["https://a:1", "a:1/v1", "user@a:1", "a b"] {
            assert_eq!(url(control), None, "{control}");
        }
    }

    #[test]
    fn a_node_where_commands_ask_anyway_needs_no_flag() {
        let usual: SocketAddr = USUAL.parse().expect("an address");
        let other = SocketAddr::from(([127, 0, 0, 1], 4081));
        let elsewhere = Some(OsStr::new("127.0.0.1:4081"));
        for nowhere in [None, Some(OsStr::new("")), Some(OsStr::new(USUAL))] {
            assert_eq!(flag_beside(usual, nowhere), "");
            assert_eq!(flag_beside(other, nowhere), " --control 127.0.0.1:4081");
        }
        assert_eq!(flag_beside(usual, elsewhere), " --control 127.0.0.1:4080");
        assert_eq!(flag_beside(other, elsewhere), " --control 127.0.0.1:4081");
    }

    #[test]
    fn names_stay_one_part_of_the_path() {
        let encoded = |name| super::encoded(name).to_string();
        assert_eq!(encoded("plain-Name_1~"), "plain-Name_1~");
        assert_eq!(encoded("../a b/ä?#%"), "%2E%2E%2Fa%20b%2F%C3%A4%3F%23%25");
    }
}
