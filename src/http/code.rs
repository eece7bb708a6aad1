//! Every kind of failure in one word, for programs: a public interface, only ever added to.
//!
//! The control interface says the word in its problems and the command line in its JSON. One
//! table has for each the HTTP status that goes with it and the exit code with which a command
//! ends, so that neither side can know a word that the other does not. What happened and what to
//! try next stands with each error, not here.

use std::fmt;

use axum::http::StatusCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done = 0,
    /// It was tried and did not work.
    Failed = 1,
    /// The command line or the configuration makes no sense.
    Usage = 2,
    /// There is no such key.
    NotFound = 3,
    /// Nobody can be reached, or the node is no member of a ring.
    Unreachable = 4,
    /// It is done in part.
    Partly = 5,
}

/// Writes the enumeration and what is known of its variants from one table.
macro_rules! codes {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $name:literal, $exit:ident $(, $status:ident $title:literal)?;
    )*) => {
        /// A kind of failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The word for it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// How a command ends that fails so.
            #[must_use]
            pub const fn exit(self) -> Exit {
                match self { $(Code::$variant => Exit::$exit,)* }
            }

            /// The HTTP status with which a node answers so, and what all problems of the kind
            /// have in common, in words; `None` for what only commands find out.
            #[must_use]
            pub const fn answer(self) -> Option<(StatusCode, &'static str)> {
                match self {
                    $($(Code::$variant => Some((StatusCode::$status, $title)),)?)*
                    #[allow(unreachable_patterns, reason = "the table may have no such row")]
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The request makes no sense.
    BadRequest = "bad_request", Usage, BAD_REQUEST "The request can't be understood";
    /// The interface has no such path.
    NoSuchPath = "no_such_path", Failed, NOT_FOUND "There is nothing at this path";
    /// The path is there for other methods.
    MethodNotAllowed = "method_not_allowed", Failed,
        METHOD_NOT_ALLOWED "This path does not take this method";
    /// The process hosts fewer nodes.
    NoSuchNode = "no_such_node", Usage, NOT_FOUND "This process hosts no such node";
    /// Nothing is stored under the key.
    NoSuchKey = "no_such_key", NotFound, NOT_FOUND "Nothing is stored there";
    /// Something is stored under the key, but not this field.
    NoSuchField = "no_such_field", NotFound, NOT_FOUND "The key does not have this field";
    /// Nobody who answered has anything, and the key's owner did not answer; or those that held
    /// what it serves before the whole ring stopped are not back.
    Uncertain = "uncertain", Unreachable,
        SERVICE_UNAVAILABLE "Whether anything is there is not certain now";
    /// A write's condition does not hold.
    Changed = "changed", Failed, PRECONDITION_FAILED "The condition does not hold";
    /// A value, a name or a record would be too large.
    Limit = "limit", Failed, PAYLOAD_TOO_LARGE "A limit would be exceeded";
    /// A stamp is too far ahead of the clock of the key's owner, or the clock of the node that was asked
    /// is far from those of others.
    Clock = "clock", Failed, CONFLICT "The clocks are too far apart";
    /// The key's owner holds as many keys as it may.
    Full = "full", Failed, INSUFFICIENT_STORAGE "The key's owner takes no more keys";
    /// Other writes won each time.
    Beaten = "beaten", Failed, CONFLICT "Other writes came first";
    /// As much is open already as is allowed to be.
    Busy = "busy", Failed, SERVICE_UNAVAILABLE "There is too much to do";
    /// Nobody serves the key now.
    NoOwner = "no_owner", Unreachable, SERVICE_UNAVAILABLE "Nobody answers for the key";
    /// The node belongs to no ring.
    NotMember = "not_member", Unreachable,
        SERVICE_UNAVAILABLE "The node is not a member of a ring";
    /// A look-up found no way to the owner.
    NoRoute = "no_route", Unreachable, SERVICE_UNAVAILABLE "The look-up named nobody";
    /// The node lost its ring during a look-up.
    FellOut = "fell_out", Unreachable, SERVICE_UNAVAILABLE "The node fell out of the ring";
    /// The host does not run any more.
    Stopped = "stopped", Unreachable, SERVICE_UNAVAILABLE "The node has stopped";
    /// The node did not answer its own interface in time.
    TimedOut = "timed_out", Unreachable, GATEWAY_TIMEOUT "The answer took too long";
    /// Another node did not answer.
    PeerSilent = "peer_silent", Unreachable, GATEWAY_TIMEOUT "A peer did not answer";
    /// New keys or secrets can't be read; the old ones hold.
    Admission = "admission", Failed,
        UNPROCESSABLE_ENTITY "The keys or secrets can't be read";
    /// A check without which the node can't do its work does not hold.
    NotReady = "not_ready", Failed, SERVICE_UNAVAILABLE "The node is not ready";
    /// A browser asks in the name of a page from elsewhere.
    ForeignPage = "foreign_page", Failed, FORBIDDEN "Pages of others may not do this";
    /// The body of a request did not come in time.
    SlowBody = "slow_body", Failed, REQUEST_TIMEOUT "The request came too slowly";
    /// The request was sent to a name that is not the node's.
    ForeignHost = "foreign_host", Failed,
        MISDIRECTED_REQUEST "The node does not answer under this name";
    /// The interface itself failed.
    Internal = "internal", Failed, INTERNAL_SERVER_ERROR "The node could not answer";
    /// A command was tried and did not work.
    Failed = "failed", Failed;
    /// A command was asked for what can't be done.
    Usage = "usage", Usage;
    /// The settings, or the files that they name, can't be used.
    Configuration = "configuration", Usage;
    /// The data directory can't be used.
    DataDirectory = "data_directory", Failed;
    /// The file of records can't be read or written.
    Records = "records", Failed,
        INTERNAL_SERVER_ERROR "The file of records can't be used";
    /// No node answers a command.
    Unreachable = "unreachable", Unreachable;
    /// Something answers a command, and it is no node of this release.
    NotANode = "not_a_node", Failed;
}

impl Code {
    /// The kind that has this name; `None` for one of a later release.
    #[must_use]
    pub fn named(name: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_by_which_it_is_found() {
        for code in Code::ALL {
            assert_eq!(Code::named(code.name()), Some(*code));
        }
        assert_eq!(Code::named("of_a_later_release"), None);
    }

    #[test]
    fn only_failures_have_codes() {
        for code in Code::ALL {
            assert!(!matches!(code.exit(), Exit::Done | Exit::Partly), "{code}");
            if let Some((status, title)) = code.answer() {
                assert!(status.is_client_error() || status.is_server_error());
                assert!(!title.is_empty(), "{code}");
            }
        }
    }

    #[test]
    fn names_statuses_and_exit_codes_are_as_they_are_published() {
        let row = |code: &Code| {
            let answer = code.answer().map(|(status, _)| status.as_u16().to_string());
            let status = answer.as_deref().unwrap_or("-");
            format!("{:18} {status:3} {}", code.name(), code.exit() as u8)
        };
        let rows: Vec<String> = Code::ALL.iter().map(row).collect();
        insta::assert_snapshot!(rows.join("\n"));
    }
}
