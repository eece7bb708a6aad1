//! What can be set on a node.

use std::borrow::Cow;
use std::time::Duration;

use super::limits;
use crate::hint::Hint;

/// A node's settings. All nodes of a ring should have the same; `successors`, `replicas` and
/// `cluster` must, or they refuse each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The cluster's name. Nodes of another name are refused, so that the rings of strangers
    /// never become one. Default: `cuerda`.
    pub cluster: String,
    /// r, the length of the successor list: as many neighbours may fail at once, less one,
    /// between two stabilizations. 1 to 64; about 2·log₂N for N nodes is comfortable.
    /// Default: 8.
    pub successors: u8,
    /// k, how many nodes hold a record; at most `successors`. Default: 3.
    pub replicas: u8,
    /// How many nodes must hold a write on disk before it counts as done; with fewer it is done in
    /// part. At most `replicas`. Set it only for a ring that is meant to be smaller than
    /// `replicas`. Default: `replicas`.
    pub acks: Option<u8>,
    /// How often an owner compares its records with those of the other holders, besides after
    /// every change of them, jittered to between half and one and a half of this. Costs nothing
    /// where nothing is stored. Default: twice `stabilize_every`.
    pub repair_every: Option<Duration>,
    /// The time in which a node reads everything that it holds once, whoever serves it, to find
    /// what has rotted on its disk while a sound copy is left elsewhere; give or take a half of
    /// `repair_every`, in which it does so at most once. Shorter finds rot sooner and reads more:
    /// the rate is bounded, to about a thousand records or 4 MiB in `repair_every`, and a node that
    /// holds more takes longer. Costs nothing where nothing is stored. Default: 1 day.
    pub scrub_every: Duration,
    /// The most keys that a node holds records of as their owner; a write of one more is
    /// rejected. Copies for others are always taken. Default: 1,000,000.
    pub keys_max: u32,
    /// How long a deletion is remembered at least. A node that missed one, and returns when all
    /// others have forgotten it, has its old records set aside. Default: 10 days.
    pub tombstones_for: Duration,
    /// How long a leaving node tries to see all its records on other nodes before it goes anyway.
    /// Its own disk keeps them. Default: 60 s.
    pub hand_over_within: Duration,
    /// How often a node compares notes with its successor, jittered to between half and one and
    /// a half of this. Shorter repairs sooner and costs three messages each time; a ring of
    /// thousands may take its time. Default: 2 s.
    pub stabilize_every: Duration,
    /// The time in which every distinct finger is refreshed once, jittered likewise. Default:
    /// 30 s.
    pub fix_fingers_every: Duration,
    /// How long a reply may take before the asked node counts as silent, at least: measured
    /// round trips may lengthen it. Default: 500 ms.
    pub request_timeout: Duration,
    /// The longest that measured round trips may make the time-out. Default: 5 s.
    pub request_timeout_max: Duration,
    /// How many silences in a row make a neighbour dead. A look-up moves on after the first.
    /// Default: 2.
    pub attempts: u8,
    /// How many peers presumed dead are remembered, to be probed for a healed partition. 0
    /// switches reunion off. At most 64; default: 16.
    pub remembered: u8,
    /// The longest time between two probes of a remembered peer; it starts at `stabilize_every`
    /// and doubles up to this, rounded up to whole periods. Longer saves messages to peers that
    /// are gone for good, shorter heals a partition sooner. Default: twice `stabilize_every`.
    pub probe_every_max: Option<Duration>,
    /// When nobody whom a joining node reaches has been a member of a ring for this time, the one
    /// with the lowest id among those that are on their way in founds one. Default: 5 s.
    pub found_after: Duration,
    /// The mistake that the nodes make, if any: to measure what the harness notices. In no release.
    #[cfg(feature = "mutants")]
    pub variant: Option<super::Variant>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            cluster: "cuerda".to_owned(),
            successors: 8,
            replicas: 3,
            acks: None,
            repair_every: None,
            scrub_every: Duration::from_secs(24 * 60 * 60),
            keys_max: 1_000_000,
            tombstones_for: Duration::from_secs(10 * 24 * 60 * 60),
            hand_over_within: Duration::from_secs(60),
            stabilize_every: Duration::from_secs(2),
            fix_fingers_every: Duration::from_secs(30),
            request_timeout: Duration::from_millis(500),
            request_timeout_max: Duration::from_secs(5),
            attempts: 2,
            remembered: 16,
            probe_every_max: None,
            found_after: Duration::from_secs(5),
            #[cfg(feature = "mutants")]
            variant: None,
        }
    }
}

/// A setting out of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` {problem}")]
pub struct ConfigError {
    /// The name of the setting, as in [`Config`].
    pub key: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What to do about it, where that is not plain.
    pub hint: Option<&'static str>,
}

impl Hint for ConfigError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        self.hint.map(Cow::Borrowed)
    }
}

impl Config {
    /// Checks that all settings are in range and fit each other.
    ///
    /// # Errors
    /// The first setting that does not.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let error = |key, problem: String, hint| Err(ConfigError { key, problem, hint });
        let range = |key, value: u8, least: u8, most: u8| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                let problem = format!("must be between {least} and {most}, not {value}");
                error(key, problem, None)
            }
        };
        range("successors", self.successors, 1, limits::SUCCESSORS)?;
        range("attempts", self.attempts, 1, limits::ATTEMPTS)?;
        range("remembered", self.remembered, 0, limits::REMEMBERED)?;
        range("replicas", self.replicas, 1, limits::SUCCESSORS)?;
        if self.replicas > self.successors {
            return error(
                "replicas",
                format!(
                    "is {}, more than the {} successors",
                    self.replicas, self.successors
                ),
                Some("records are kept on successors: raise `successors` or lower `replicas`"),
            );
        }
        if let Some(acks) = self.acks {
            let hint =
                "no more than `replicas` nodes hold a record: lower `acks` or raise `replicas`";
            range("acks", acks, 1, self.replicas).map_err(|error| ConfigError {
                hint: Some(hint),
                ..error
            })?;
        }
        let repair_every = ("repair_every", self.repair_every());
        for (key, duration) in [
            ("stabilize_every", self.stabilize_every),
            repair_every,
            ("scrub_every", self.scrub_every),
            ("tombstones_for", self.tombstones_for),
            ("hand_over_within", self.hand_over_within),
            ("fix_fingers_every", self.fix_fingers_every),
            ("request_timeout", self.request_timeout),
            ("found_after", self.found_after),
        ] {
            if duration < limits::SHORTEST {
                return error(
                    key,
                    format!("must be at least {:?}", limits::SHORTEST),
                    None,
                );
            }
        }
        if self.request_timeout_max < self.request_timeout {
            return error(
                "request_timeout_max",
                format!(
                    "is {:?}, less than `request_timeout`, which is {:?}",
                    self.request_timeout_max, self.request_timeout
                ),
                Some("raise `request_timeout_max` or lower `request_timeout`"),
            );
        }
        Ok(())
    }

    /// How many holders make a write complete.
    #[must_use]
    pub fn acks(&self) -> u8 {
        self.acks.unwrap_or(self.replicas)
    }

    /// How often owners compare their records with other holders.
    #[must_use]
    pub fn repair_every(&self) -> Duration {
        self.repair_every.unwrap_or(self.stabilize_every * 2)
    }

    /// The longest back-off of a probe, in stabilization periods; at least 1.
    pub(super) fn probe_periods_max(&self) -> u16 {
        let most = self.probe_every_max.unwrap_or(self.stabilize_every * 2);
        let periods = most
            .as_nanos()
            .div_ceil(self.stabilize_every.as_nanos().max(1));
        u16::try_from(periods.max(1)).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn every_bound_names_its_key() {
        let base = Config::default;
        let bad = [
            Config {
                successors: 0,
                ..base()
            },
            Config {
                successors: 65,
                replicas: 3,
                ..base()
            },
            Config {
                replicas: 9,
                ..base()
            },
            Config {
                replicas: 0,
                ..base()
            },
            Config {
                attempts: 0,
                ..base()
            },
            Config {
                remembered: 65,
                ..base()
            },
            Config {
                stabilize_every: Duration::ZERO,
                ..base()
            },
            Config {
                fix_fingers_every: Duration::ZERO,
                ..base()
            },
            Config {
                request_timeout: Duration::ZERO,
                ..base()
            },
            Config {
                scrub_every: Duration::ZERO,
                ..base()
            },
            Config {
                found_after: Duration::ZERO,
                ..base()
            },
            Config {
                request_timeout_max: Duration::from_millis(1),
                ..base()
            },
        ];
        let keys: Vec<&str> = bad
            .iter()
            .map(|config| config.validate().expect_err("out of range").key)
            .collect();
        assert_eq!(
            keys,
            [
                "successors",
                "successors",
                "replicas",
                "replicas",
                "attempts",
                "remembered",
                "stabilize_every",
                "fix_fingers_every",
                "request_timeout",
                "scrub_every",
                "found_after",
                "request_timeout_max"
            ]
        );
    }

    #[test]
    fn the_probes_back_off_is_counted_in_whole_periods() {
        let config = Config::default();
        assert_eq!(config.probe_periods_max(), 2);
        let odd = Config {
            probe_every_max: Some(Duration::from_secs(5)),
            ..config
        };
        assert_eq!(odd.probe_periods_max(), 3);
    }
}
