//! A ring of containers on one network, asked over HTTP from outside, and records in it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

use super::engine::Engine;
use super::program::{folder_with_secret, until};

/// How often the nodes stabilize, give or take a half.
pub(crate) const STABILIZE_EVERY: Duration = Duration::from_secs(1);
/// The longest that two rounds of it can take.
pub(crate) const TWO_ROUNDS: Duration = Duration::from_secs(3);
const SETTINGS: [&str; 8] = [
    "CUERDA_STABILIZE_EVERY=1s",
    "CUERDA_FIX_FINGERS_EVERY=1s",
    "CUERDA_FOUND_AFTER=2s",
    // What all wait for in vain who are the last ones.
    "CUERDA_HAND_OVER_WITHIN=4s",
    "CUERDA_CONTROL=0.0.0.0:4080",
    "CUERDA_CONTROL_OPEN=true",
    "CUERDA_SECRET_FILE=/run/secrets/cluster",
    "CUERDA_LOG_FORMAT=human",
];

/// What the keys hold that were acknowledged.
pub(crate) type Written = BTreeMap<String, String>;

/// Nodes 0, 1, …; each has a container and a volume.
#[derive(Debug)]
pub(crate) struct Ring<'a> {
    engine: &'a Engine,
    pub(crate) size: usize,
    /// Holds the file with the secret.
    folder: tempfile::TempDir,
    agent: Agent,
}

impl<'a> Ring<'a> {
    /// Starts so many, and waits until they are one ideal ring.
    pub(crate) fn form(engine: &'a Engine, image: &str, size: usize) -> Ring<'a> {
        let folder = folder_with_secret();
        let config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(5)))
            .http_status_as_error(false)
            .proxy(None);
        let ring = Ring {
            engine,
            size,
            folder,
            agent: config.build().into(),
        };
        engine.docker(&[
            "network",
            "create",
            "--label",
            &engine.label(),
            &ring.network(),
        ]);
        for node in 0..size {
            ring.create(node, image);
        }
        // Who can't start says so; nobody should wait for it.
        for node in 0..size {
            let running = ring.inspected(node, "{{.State.Running}}");
            assert_eq!(running, "true", "{}", ring.log(node));
        }
        ring.until_ideal();
        ring
    }

    fn network(&self) -> String {
        self.engine.name("ring")
    }

    /// The name of a node's container.
    pub(crate) fn container(&self, node: usize) -> String {
        self.engine.name(&format!("node{node}"))
    }

    /// The name of a node's volume.
    pub(crate) fn volume(&self, node: usize) -> String {
        self.engine.name(&format!("data{node}"))
    }

    /// Makes a node's container and starts it; its volume is made if it is not there.
    pub(crate) fn create(&self, node: usize, image: &str) {
        let (label, engine) = (self.engine.label(), self.engine);
        let volume = self.volume(node);
        engine.docker(&["volume", "create", "--label", &label, &volume]);
        let secret = self.folder.path().join("secret");
        let mounts = [
            format!("{volume}:/data"),
            format!("{}:/run/secrets/cluster:ro", secret.display()),
        ];
        let (name, network) = (self.container(node), self.network());
        let alias = format!("node{node}");
        let all: Vec<String> = (0..self.size)
            .map(|node| format!("node{node}:4000"))
            .collect();
        let join = format!("CUERDA_JOIN={}", all.join(","));
        let mut run = vec!["run", "--detach", "--name", &name, "--label", &label];
        run.extend(["--network", &network, "--network-alias", &alias]);
        run.extend(["--read-only", "--cap-drop", "ALL", "--env", &join]);
        for setting in SETTINGS {
            run.extend(["--env", setting]);
        }
        for mount in &mounts {
            run.extend(["--volume", mount]);
        }
        run.push(image);
        engine.docker(&run);
    }

    /// `docker` with these arguments and the containers of these nodes.
    pub(crate) fn docker(&self, arguments: &[&str], nodes: &[usize]) {
        let mut all: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        all.extend(nodes.iter().map(|&node| self.container(node)));
        self.engine.docker(&all);
    }

    /// A value of what the engine says about a node's container.
    pub(crate) fn inspected(&self, node: usize, format: &str) -> String {
        self.engine
            .docker(&["inspect", "--format", format, &self.container(node)])
    }

    /// What a node has logged.
    pub(crate) fn log(&self, node: usize) -> String {
        let output = self.engine.tried(&["logs", &self.container(node)]);
        let both = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&both).into_owned()
    }

    /// Where a node answers commands; `None` while its container does not run, or is not there.
    pub(crate) fn control(&self, node: usize) -> Option<String> {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let container = self.container(node);
        let asked = self
            .engine
            .tried(&["inspect", "--format", format, &container]);
        let address = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
        (!address.is_empty()).then(|| format!("{address}:4080"))
    }

    /// What a node answers to a path, if it answers well.
    pub(crate) fn ask(&self, node: usize, path: &str) -> Option<String> {
        let url = format!("http://{}{path}", self.control(node)?);
        let mut response = self.agent.get(url).call().ok()?;
        let text = response.body_mut().read_to_string().ok()?;
        (response.status().as_u16() == 200).then_some(text)
    }

    /// A node's first status after this.
    pub(crate) fn status(&self, node: usize) -> Value {
        let answer = || self.ask(node, "/v1/status");
        let (text, _) = until(&format!("node {node} answers"), answer);
        serde_json::from_str(&text).expect("it speaks JSON")
    }

    /// The id of a node.
    pub(crate) fn id(&self, node: usize) -> String {
        let status = self.status(node);
        status["nodes"][0]["id"].as_str().expect("an id").to_owned()
    }

    /// How many keys a node holds.
    pub(crate) fn records(&self, node: usize) -> u64 {
        self.status(node)["nodes"][0]["records"]
            .as_u64()
            .expect("a count")
    }

    /// A counter among a node's numbers.
    pub(crate) fn counter(&self, node: usize, name: &str) -> u64 {
        let page = self.ask(node, "/metrics").expect("it answers");
        let start = format!("cuerda_{name}_total ");
        let value = page.lines().find_map(|line| line.strip_prefix(&start));
        value
            .expect("there is such a number")
            .parse()
            .expect("a number")
    }

    /// The ids of a closed and ideal ring as a node walks it.
    fn walk(&self, node: usize) -> Option<Vec<String>> {
        let walk: Value = serde_json::from_str(&self.ask(node, "/v1/ring")?).ok()?;
        let members = walk["members"].as_array()?.iter();
        let ids = members.map(|one| one["peer"]["id"].as_str().map(str::to_owned));
        (walk["ideal"] == true).then(|| ids.collect::<Option<_>>())?
    }

    /// Waits until these nodes see one ideal ring of nobody but them.
    pub(crate) fn until_ideal_for(&self, nodes: &[usize]) -> Duration {
        let what = format!("an ideal ring of the nodes {nodes:?}");
        let ideal = |node: &usize| self.walk(*node).is_some_and(|ids| ids.len() == nodes.len());
        until(&what, || nodes.iter().all(ideal).then_some(())).1
    }

    /// The same for all.
    pub(crate) fn until_ideal(&self) -> Duration {
        let all: Vec<usize> = (0..self.size).collect();
        self.until_ideal_for(&all)
    }

    /// Writes a key through a node. Whether it was acknowledged by all holders.
    pub(crate) fn put(&self, node: usize, key: &str, value: &str) -> bool {
        let Some(control) = self.control(node) else {
            return false;
        };
        let url = format!("http://{control}/v1/records/{key}");
        let answered = self.agent.put(url).send(value);
        answered.is_ok_and(|response| response.status().as_u16() == 200)
    }

    /// Writes so many keys, which all must be acknowledged.
    pub(crate) fn fill(&self, keys: usize) -> Written {
        let write = |number: usize| {
            let (key, value) = (format!("k{number}"), format!("value {number}"));
            assert!(
                self.put(number % self.size, &key, &value),
                "{key} is stored"
            );
            (key, value)
        };
        (0..keys).map(write).collect()
    }

    /// Waits until each of these keys is read as it was written, through one of these nodes.
    pub(crate) fn until_read(&self, written: &Written, nodes: &[usize]) -> Duration {
        let mut missing: Vec<(&String, &String)> = written.iter().collect();
        let (_, took) = until("all that was acknowledged is read back", || {
            missing.retain(|(key, value)| {
                let sum: usize = key.bytes().map(usize::from).sum();
                let node = nodes[sum % nodes.len()];
                self.ask(node, &format!("/v1/records/{key}")).as_ref() != Some(value)
            });
            missing.is_empty().then_some(())
        });
        took
    }

    /// The places of the keys that a node holds.
    pub(crate) fn held(&self, node: usize) -> Vec<String> {
        let page = self.ask(node, "/v1/records").unwrap_or_default();
        let page: Value = serde_json::from_str(&page).unwrap_or_default();
        let keys = page["keys"].as_array().cloned().unwrap_or_default();
        let place = |key: &Value| key["key"].as_str().map(str::to_owned);
        keys.iter().filter_map(place).collect()
    }

    /// The place of a key and the ids of those that should hold it, as a node sees it.
    pub(crate) fn holders(&self, node: usize, key: &str) -> Option<(String, Vec<String>)> {
        let answer: Value =
            serde_json::from_str(&self.ask(node, &format!("/v1/who/{key}"))?).ok()?;
        let holders = answer["holders"].as_array()?.iter();
        let ids = holders.map(|one| one["id"].as_str().map(str::to_owned));
        Some((
            answer["key"].as_str()?.to_owned(),
            ids.collect::<Option<_>>()?,
        ))
    }
}
