//! What happened to the nodes of a violation around its moment. The run is played once more, and
//! told event by event.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

use cuerda_sim::report::words::{harmless, moment};
use cuerda_sim::report::{Report, Violation};

use super::load::Loaded;
use super::twice::event;

/// For as many violations there is a history.
const VIOLATIONS: usize = 3;

/// The events around a moment that concern some nodes.
#[derive(Debug)]
struct Window {
    at: Duration,
    /// Their names; with none, every event concerns them.
    nodes: BTreeSet<String>,
    most: usize,
    before: VecDeque<String>,
    after: Vec<String>,
}

impl Window {
    fn new(violation: &Violation, number: NonZeroUsize) -> Window {
        let mut nodes: BTreeSet<String> = violation.node.iter().cloned().collect();
        nodes.extend(names(&violation.cause));
        if nodes.is_empty() {
            nodes.extend(names(&violation.detail));
        }
        Window {
            at: Duration::from_secs_f64(violation.at_s),
            nodes,
            most: number.get(),
            before: VecDeque::new(),
            after: Vec::new(),
        }
    }

    fn see(&mut self, number: u64, at: Duration, line: &str) {
        // Half of them lie behind the moment.
        let is_after = at > self.at;
        if is_after && self.after.len() >= self.most / 2 {
            return;
        }
        let concerns = self.nodes.is_empty() || names(line).any(|name| self.nodes.contains(&name));
        if !concerns {
            return;
        }
        let told = event(number, at, line);
        if is_after {
            self.after.push(told);
        } else {
            self.before.push_back(told);
            if self.before.len() > self.most - self.most / 2 {
                self.before.pop_front();
            }
        }
    }
}

/// The names of nodes in a text, such as `n7`.
fn names(text: &str) -> impl Iterator<Item = String> + '_ {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let is_name = |word: &&str| {
        let digits = word.strip_prefix('n').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    words.filter(is_name).map(str::to_owned)
}

/// The `number` events around each of the first violations of a run that concern its nodes; empty
/// if nothing was violated.
pub(crate) fn around(loaded: &Loaded, report: &Report, number: NonZeroUsize) -> String {
    let violations = &report.violations[..report.violations.len().min(VIOLATIONS)];
    if violations.is_empty() {
        return String::new();
    }
    let windows = violations.iter().map(|it| Window::new(it, number));
    let mut windows: Vec<Window> = windows.collect();
    loaded.play_traced(&mut |number, at, line| {
        for window in &mut windows {
            window.see(number, at, line);
        }
    });
    let mut text = String::new();
    for (violation, window) in violations.iter().zip(&windows) {
        let nodes: Vec<&str> = window.nodes.iter().map(String::as_str).collect();
        let of = match nodes.is_empty() {
            true => "all nodes".to_owned(),
            false => nodes.join(", "),
        };
        text += &format!(
            "\naround {}, {}: {of}\n",
            harmless(&violation.check),
            moment(violation.at_s)
        );
        let line = |told: &String| format!("  {}\n", harmless(told));
        text.extend(window.before.iter().map(line));
        text += "  ——\n";
        text.extend(window.after.iter().map(line));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_nodes_are_found_in_any_text() {
        let found: Vec<String> = names("n3 -> n12: Ping { n: 4, nn5, n6x } n7").collect();
        assert_eq!(found, ["n3", "n12", "n7"]);
    }

    #[test]
    fn a_window_has_what_concerns_its_nodes_on_both_sides() {
        let violation = Violation {
            at_s: 5.0,
            check: "lost".to_owned(),
            detail: "k7 is gone".to_owned(),
            node: Some("n3".to_owned()),
            cause: "timer Stabilize of n4".to_owned(),
        };
        let mut window = Window::new(&violation, NonZeroUsize::new(4).expect("four"));
        for second in 0..12 {
            let at = Duration::from_secs(second);
            window.see(second, at, &format!("n{}: timer", 3 + second % 3));
        }
        let told = |seconds: &[u64]| -> Vec<String> {
            let line = |&second: &u64| {
                let line = format!("n{}: timer", 3 + second % 3);
                event(second, Duration::from_secs(second), &line)
            };
            seconds.iter().map(line).collect()
        };
        assert_eq!(window.before, told(&[3, 4]));
        assert_eq!(window.after, told(&[6, 7]));
    }
}
