//! One container's life: it is made, it runs and tells things, and it ends.
//!
//! All of it waits for the engine, so each life has a thread of its own.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cuerda::host::Identity;
use cuerda_core::chord::Config;

use super::engine::{Engine, Trouble, command, docker, feed};
use super::stream;
use super::{Clock, Told, What};

/// The user and group that own what lies on a disk: those of the image.
const USER: u64 = 65532;

/// The file with the secret.
const SECRET: &str = "secret";

/// How a machine is to start.
pub(super) struct ContainerSpec {
    pub(super) number: u32,
    pub(super) epoch: u32,
    /// The container's name.
    pub(super) name: String,
    pub(super) volume: String,
    pub(super) network: String,
    pub(super) address: String,
    /// The key that belongs on its disk.
    pub(super) key: [u8; 32],
    /// The node's settings, as the program reads them from its environment.
    pub(super) settings: Vec<String>,
    /// The container that had this disk before, which may still be about to end.
    pub(super) before: Option<Container>,
}

/// A container, as the world holds it.
#[derive(Clone, Debug)]
pub(super) struct Container {
    name: String,
    /// Held while the container is being started; true once it must not be started any more.
    over: Arc<Mutex<bool>>,
}

impl Container {
    /// Makes and starts a container, beside whatever else goes on, and tells what it tells.
    pub(super) fn begin(
        engine: &Arc<Engine>,
        clock: Clock,
        spec: ContainerSpec,
        tell: Sender<Told>,
    ) -> Container {
        let container = Container {
            name: spec.name.clone(),
            over: Arc::default(),
        };
        let (mine, engine) = (container.clone(), Arc::clone(engine));
        super::beside(move || {
            let (number, epoch) = (spec.number, spec.epoch);
            let send = |at, what| {
                let told = Told {
                    at,
                    number,
                    epoch,
                    what,
                };
                // A world that is gone hears nothing.
                let _ = tell.send(told);
            };
            match mine.start(&engine, &spec) {
                Ok(Some(process)) => send(clock.real(), What::Runs(process)),
                Ok(None) => return,
                Err(trouble) => return send(clock.real(), What::Failed(trouble)),
            }
            mine.follow(|line| match stream::parse(line) {
                Ok(Some(line)) => send(clock.of(line.at_us), What::Line(Box::new(line))),
                Ok(None) => {}
                Err(why) => send(clock.real(), What::Unheard(why)),
            });
            if mine.is_running() {
                let why = "its log ended while it runs".to_owned();
                return send(clock.real(), What::Unheard(why));
            }
            send(clock.real(), What::Ended(mine.end()));
        });
        container
    }

    fn gate(&self) -> MutexGuard<'_, bool> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the container; `None` if it is not wanted any more.
    fn start(&self, engine: &Engine, spec: &ContainerSpec) -> Result<Option<i32>, Trouble> {
        if let Some(before) = &spec.before {
            // Two processes must never have one disk.
            let _ = docker(&["wait", &before.name]);
        }
        let over = self.gate();
        if *over {
            return Ok(None);
        }
        let (label, disk) = (engine.label(), format!("{}:/data", spec.volume));
        docker(&["volume", "create", "--label", &label, &spec.volume])?;
        let mut create = vec!["create", "--name", &spec.name, "--label", &label];
        create.extend(["--network", &spec.network, "--ip", &spec.address]);
        create.extend(["--cap-drop", "ALL", "--volume", &disk, "--no-healthcheck"]);
        // Whatever the engine does by default: nothing may be missing.
        create.extend(["--log-driver", "json-file", "--log-opt", "max-size=1g"]);
        for setting in &spec.settings {
            create.extend(["--env", setting]);
        }
        create.extend([engine.image(), "node", "run"]);
        docker(&create)?;
        let place = format!("{}:/data", spec.name);
        feed(&["cp", "-", &place], &archive(spec.key, &engine.secret()))?;
        docker(&["start", &spec.name])?;
        let process = docker(&["inspect", "--format", "{{.State.Pid}}", &spec.name])?;
        let process = process.parse().unwrap_or(0);
        drop(over);
        Ok(Some(process))
    }

    /// Hands over each line that the container prints, until it ends.
    fn follow(&self, mut line: impl FnMut(&str)) {
        let follower = command(&["logs", "--follow", &self.name])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut follower) = follower else { return };
        if let Some(printed) = follower.stdout.take() {
            let printed = BufReader::new(printed).split(b'\n').map_while(Result::ok);
            for printed in printed {
                line(&String::from_utf8_lossy(&printed));
            }
        }
        let _ = follower.wait();
    }

    fn is_running(&self) -> bool {
        let said = docker(&["inspect", "--format", "{{.State.Running}}", &self.name]);
        said.is_ok_and(|said| said == "true")
    }

    /// It is not started any more; one that is just being started runs when this returns.
    pub(super) fn close(&self) {
        *self.gate() = true;
    }

    /// With what the container ended.
    fn end(&self) -> String {
        let code = docker(&["wait", &self.name]).unwrap_or_default();
        let log = command(&["logs", "--tail", "3", &self.name]).output();
        let log = log.map_or(String::new(), |output| {
            String::from_utf8_lossy(&output.stderr).trim().to_owned()
        });
        format!("exit code {code}; its log ends with: {log}")
    }

    /// Kills it, whatever it is doing. When this returns it tells nothing new.
    pub(super) fn kill(&self) {
        *self.gate() = true;
        if docker(&["kill", &self.name]).is_err() {
            // A paused one can't be killed, and one that has ended need not be.
            let _ = docker(&["unpause", &self.name]);
            let _ = docker(&["kill", &self.name]);
        }
    }

    /// Stops its processes where they are, if it has any.
    pub(super) fn pause(&self) -> Result<(), Trouble> {
        self.tell("pause")
    }

    /// Lets them go on.
    pub(super) fn unpause(&self) -> Result<(), Trouble> {
        self.tell("unpause")
    }

    fn tell(&self, what: &str) -> Result<(), Trouble> {
        match docker(&[what, &self.name]) {
            Err(trouble) if self.is_running() => Err(trouble),
            // One that has just ended need not be told.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// What a new disk has on it, as the engine unpacks it: the node's key, and the secret by which the
/// nodes let each other in.
fn archive(seed: [u8; 32], secret: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |name: &str, text: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_uid(USER);
        header.set_gid(USER);
        archive.append_data(&mut header, name, text.as_bytes())
    };
    add("identity.pem", &Identity::from_seed(seed).to_pem())
        .and_then(|()| add(SECRET, secret))
        .and_then(|()| archive.into_inner())
        .expect("writing to memory does not fail")
}

/// A node's settings, as its program reads them from the environment.
pub(super) fn settings(config: &Config, address: &str, join: &[String]) -> Vec<String> {
    let Config {
        cluster,
        successors,
        replicas,
        acks,
        repair_every,
        scrub_every,
        keys_max,
        tombstones_for,
        hand_over_within,
        stabilize_every,
        fix_fingers_every,
        request_timeout,
        request_timeout_max,
        attempts,
        remembered,
        probe_every_max,
        found_after,
        #[cfg(feature = "mutants")]
            variant: _,
    } = config;
    let time = |time: &Duration| humantime::format_duration(*time).to_string();
    let given = [
        ("LISTEN", Some("0.0.0.0:4000".to_owned())),
        ("ADVERTISE", Some(format!("{address}:4000"))),
        ("CONTROL", Some("0.0.0.0:4080".to_owned())),
        ("CONTROL_OPEN", Some("true".to_owned())),
        ("DATA", Some("/data".to_owned())),
        ("SECRET_FILE", Some(format!("/data/{SECRET}"))),
        ("EVENTS", Some("all".to_owned())),
        ("JOIN", (!join.is_empty()).then(|| join.join(","))),
        ("CLUSTER", Some(cluster.clone())),
        ("SUCCESSORS", Some(successors.to_string())),
        ("REPLICAS", Some(replicas.to_string())),
        ("ACKS", acks.as_ref().map(u8::to_string)),
        ("REPAIR_EVERY", repair_every.as_ref().map(time)),
        ("SCRUB_EVERY", Some(time(scrub_every))),
        ("KEYS_MAX", Some(keys_max.to_string())),
        ("TOMBSTONES_FOR", Some(time(tombstones_for))),
        ("HAND_OVER_WITHIN", Some(time(hand_over_within))),
        ("STABILIZE_EVERY", Some(time(stabilize_every))),
        ("FIX_FINGERS_EVERY", Some(time(fix_fingers_every))),
        ("REQUEST_TIMEOUT", Some(time(request_timeout))),
        ("REQUEST_TIMEOUT_MAX", Some(time(request_timeout_max))),
        ("ATTEMPTS", Some(attempts.to_string())),
        ("REMEMBERED", Some(remembered.to_string())),
        ("PROBE_EVERY_MAX", probe_every_max.as_ref().map(time)),
        ("FOUND_AFTER", Some(time(found_after))),
    ];
    let given = given.into_iter();
    given
        .filter_map(|(name, value)| Some(format!("CUERDA_{name}={}", value?)))
        .collect()
}
