//! From settings that are each well-formed to a configuration that holds together.
//!
//! What no setting shows alone is checked here, and pointed at where it was said.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use cuerda::Hint as _;
use cuerda::host::events::Detail;
use cuerda::host::successors_needed;
use cuerda::node;
use cuerda_text::Mistake;
use cuerda_text::diagnostic::{Diagnostic, Problem};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::addresses;
use super::kind::Value;
use super::layers::{Origin, Settings};

/// A node's configuration, as the program works with it.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) advertise: Option<String>,
    pub(crate) control: SocketAddr,
    pub(crate) control_hosts: Vec<String>,
    pub(crate) control_open: bool,
    pub(crate) join: Vec<String>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) admit_keys_file: Option<PathBuf>,
    pub(crate) revoked_keys_file: Option<PathBuf>,
    pub(crate) insecure: bool,
    pub(crate) node: node::Config,
    pub(crate) virtual_nodes: u8,
    pub(crate) connect_timeout: Duration,
    pub(crate) idle_after: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) on_terminate: OnTerminate,
    /// How much of its events it tells, if any.
    pub(crate) events: Option<Detail>,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    /// If nobody chose where to listen and the port is taken, any will do.
    pub(crate) listen_may_move: bool,
    /// The same for `control`.
    pub(crate) control_may_move: bool,
}

/// What a polite signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnTerminate {
    /// Leave the ring, then stop.
    Leave,
    /// Stop.
    Pause,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Human,
    /// A JSON object for each event.
    Json,
}

/// Reads the settings one by one and then holds them against each other.
pub(super) fn config(settings: &Settings) -> Result<Config, Diagnostic> {
    let mut config = typed(settings);
    let machine = match config.listen.ip().is_unspecified() && config.advertise.is_none() {
        true => addresses::of_this_machine(config.listen),
        false => Vec::new(),
    };
    // A machine with one address, as most containers are, leaves nothing to choose.
    if let [only] = machine[..] {
        config.advertise = Some(only.to_string());
    }
    let mut problems = Vec::new();
    node(settings, &config.node, &mut problems);
    holders(settings, &config, &mut problems);
    places(settings, &config, &machine, &mut problems);
    security(settings, &config, &mut problems);
    others(settings, &config, &mut problems);
    Diagnostic::unless_empty(problems)?;
    Ok(config)
}

fn typed(settings: &Settings) -> Config {
    let value = |name| settings.get(name).value.clone();
    let text = |name| match value(name) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    };
    let path = |name| match value(name) {
        Some(Value::Path(path)) => Some(path),
        _ => None,
    };
    let list = |name| match value(name) {
        Some(Value::Places(list) | Value::Names(list)) => list,
        _ => Vec::new(),
    };
    let switch = |name| value(name) == Some(Value::Switch(true));
    let given = "the table has a default for it, of the kind asked for";
    let some_socket = |name| match value(name) {
        Some(Value::Socket(address)) => Some(address),
        _ => None,
    };
    let socket = |name| some_socket(name).expect(given);
    let number = |name| match value(name) {
        Some(Value::Count(number)) => Some(number),
        _ => None,
    };
    let some_count = |name| {
        let small = |number| u8::try_from(number).expect("the table bounds it");
        number(name).map(small)
    };
    let count = |name| some_count(name).expect(given);
    let some_time = |name| match value(name) {
        Some(Value::Duration(duration)) => Some(duration),
        _ => None,
    };
    let time = |name| some_time(name).expect(given);
    Config {
        listen: socket("listen"),
        advertise: text("advertise"),
        control: socket("control"),
        control_hosts: list("control_host"),
        control_open: switch("control_open"),
        join: list("join"),
        data: path("data"),
        secret_file: path("secret_file"),
        admit_keys_file: path("admit_keys_file"),
        revoked_keys_file: path("revoked_keys_file"),
        insecure: switch("insecure"),
        node: node::Config {
            cluster: text("cluster").expect(given),
            successors: count("successors"),
            replicas: count("replicas"),
            acks: some_count("acks"),
            repair_every: some_time("repair_every"),
            scrub_every: time("scrub_every"),
            keys_max: number("keys_max").expect(given),
            tombstones_for: time("tombstones_for"),
            hand_over_within: time("hand_over_within"),
            stabilize_every: time("stabilize_every"),
            fix_fingers_every: time("fix_fingers_every"),
            request_timeout: time("request_timeout"),
            request_timeout_max: time("request_timeout_max"),
            attempts: count("attempts"),
            remembered: count("remembered"),
            probe_every_max: some_time("probe_every_max"),
            found_after: time("found_after"),
            #[cfg(feature = "mutants")]
            variant: None,
        },
        virtual_nodes: count("virtual_nodes"),
        connect_timeout: time("connect_timeout"),
        idle_after: time("idle_after"),
        heartbeat: time("heartbeat"),
        on_terminate: match text("on_terminate").as_deref() {
            Some("pause") => OnTerminate::Pause,
            _ => OnTerminate::Leave,
        },
        events: match text("events").as_deref() {
            Some("ring") => Some(Detail::Ring),
            Some("all") => Some(Detail::All),
            _ => None,
        },
        log: text("log").expect(given),
        log_format: match text("log_format").as_deref() {
            Some("human") => LogFormat::Human,
            Some("json") => LogFormat::Json,
            _ => LogFormat::Auto,
        },
        listen_may_move: settings.get("listen").origin == Origin::Dev,
        control_may_move: settings.get("control").origin == Origin::Dev,
    }
}

/// Reports a problem of the first of these settings that somebody has set.
fn report(settings: &Settings, names: &[&str], wrong: Mistake, problems: &mut Vec<Problem>) {
    let mut places = names.iter().map(|name| settings.get(name).place.clone());
    problems.push(Problem::new(places.find_map(|place| place), wrong));
}

fn node(settings: &Settings, config: &node::Config, problems: &mut Vec<Problem>) {
    let Err(error) = config.validate() else {
        return;
    };
    // The other setting of the pair, where this one does not go with it.
    let other = match error.key {
        "replicas" if config.replicas > config.successors => "successors",
        "acks" => "replicas",
        "request_timeout_max" => "request_timeout",
        key => key,
    };
    let help = error
        .hint()
        .unwrap_or("leave it out for the default".into());
    let wrong = Mistake::new(error.to_string(), help);
    report(settings, &[error.key, other], wrong, problems);
}

/// The holders of a record are different processes, and its owner must know them all.
fn holders(settings: &Settings, config: &Config, problems: &mut Vec<Problem>) {
    let (node, virtual_nodes) = (&config.node, config.virtual_nodes);
    let needed = successors_needed(node.replicas, virtual_nodes);
    if virtual_nodes > 1 && u16::from(node.successors) < needed {
        let wrong = Mistake::new(
            format!(
                "with {virtual_nodes} virtual nodes a process, {} processes for each record may \
                 lie behind more than the {} successors",
                node.replicas, node.successors
            ),
            format!(
                "raise `successors` to {needed} on all nodes, or lower `virtual_nodes` or \
                 `replicas`"
            ),
        );
        let names = ["virtual_nodes", "successors", "replicas"];
        report(settings, &names, wrong, problems);
    }
}

/// Where the node listens, and where others reach it; `machine` has the addresses to choose from.
fn places(
    settings: &Settings,
    config: &Config,
    machine: &[SocketAddr],
    problems: &mut Vec<Problem>,
) {
    let listen = config.listen;
    if listen.ip().is_unspecified() && config.advertise.is_none() {
        let message = match machine.len() {
            0 => format!("{listen} is every address of this machine, and none to be reached at"),
            _ => format!("{listen} is every address of this machine, which has several"),
        };
        let mut candidates: Vec<String> = machine.iter().map(SocketAddr::to_string).collect();
        if candidates.is_empty() {
            candidates.push(format!("HOST:{}", listen.port()));
        }
        let help = format!(
            "say where others reach this node: --advertise {}, or `advertise` in the file",
            candidates.join(" or --advertise ")
        );
        report(settings, &["listen"], Mistake::new(message, help), problems);
    }
    if config.control == listen && listen.port() != 0 {
        let wrong = Mistake::new(
            format!("`control` and `listen` are both {listen}"),
            "give them two ports",
        );
        report(settings, &["control", "listen"], wrong, problems);
    }
}

fn security(settings: &Settings, config: &Config, problems: &mut Vec<Problem>) {
    let open = config.admit_keys_file.is_none() && config.secret_file.is_none();
    if open && !config.insecure && !config.listen.ip().is_loopback() {
        let wrong = Mistake::new(
            format!("anybody who reaches {} could join the ring", config.listen),
            "say who may: --secret-file FILE or --admit-keys-file FILE; or listen on 127.0.0.1; \
             or, for an experiment, add --insecure",
        );
        report(settings, &["listen"], wrong, problems);
    }
    if !config.control_open && !config.control.ip().is_loopback() {
        let wrong = Mistake::new(
            format!(
                "anybody who reaches {} could read, write and make the node leave",
                config.control
            ),
            "answer commands on 127.0.0.1, and reach it through ssh or a proxy that asks who \
             comes; or, where all who reach it may give commands, add --control-open",
        );
        report(settings, &["control"], wrong, problems);
    }
    let lists = ["secret_file", "admit_keys_file", "revoked_keys_file"];
    let listed = lists
        .into_iter()
        .find(|name| settings.get(name).value.is_some());
    if let Some(name) = listed.filter(|_| config.insecure) {
        let wrong = Mistake::new(
            format!(
                "`insecure` believes whatever others claim to be, so `{name}` keeps nobody out"
            ),
            format!("take `insecure` away, or `{name}`"),
        );
        report(settings, &["insecure"], wrong, problems);
    }
}

fn others(settings: &Settings, config: &Config, problems: &mut Vec<Problem>) {
    for (name, time) in [
        ("connect_timeout", config.connect_timeout),
        ("idle_after", config.idle_after),
        ("heartbeat", config.heartbeat),
    ] {
        if time < node::limits::SHORTEST {
            let message = format!("`{name}` must be at least {:?}", node::limits::SHORTEST);
            let wrong = Mistake::new(message, "leave it out for the default");
            report(settings, &[name], wrong, problems);
        }
    }
    let wrong = match EnvFilter::try_new(&config.log) {
        Err(error) => Some(format!("`log` can't be read: {error}")),
        Ok(_) => no_level(&config.log)
            .map(|word| format!("`log` says \"{word}\", which is neither a level nor a module")),
    };
    if let Some(wrong) = wrong {
        let wrong = Mistake::new(
            wrong,
            "write a level (error, warn, info, debug, trace or off) or a filter such as \
             \"info,cuerda::host=debug\"",
        );
        report(settings, &["log"], wrong, problems);
    }
}

/// The first part of a filter that stands alone and is no level. The library takes it for the name
/// of a module all of whose lines are wanted, and of a misspelt level there are none: nothing would
/// be logged.
fn no_level(filter: &str) -> Option<&str> {
    let parts = filter.split(',').map(str::trim);
    let mut alone = parts.filter(|part| !part.is_empty() && !part.contains(['=', '[', ':']));
    alone.find(|part| part.parse::<LevelFilter>().is_err() && !part.starts_with("cuerda"))
}
