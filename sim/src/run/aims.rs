//! Whether each fault hits somebody, as it should. A run in which one does not has shown nothing of
//! what its scenario is about.

use crate::scenario::Scenario;
use crate::world::Effect;

/// The check that each fault hits somebody.
pub(super) const MISSED: &str = "faults: missed";

/// Which of a scenario's faults may hit nobody.
pub(super) struct Aims(Vec<bool>);

impl Aims {
    pub(super) fn new(scenario: &Scenario) -> Aims {
        let faults = scenario.faults.iter();
        Aims(faults.map(|fault| fault.may_miss).collect())
    }

    /// What is wrong if a fault hits nobody and should.
    pub(super) fn missed(&self, effect: &Effect) -> Option<String> {
        let may_miss = self.0.get(effect.index).is_some_and(|may| *may);
        (effect.hit == 0 && !may_miss).then(|| {
            format!(
                "fault {} ({}) hits nobody; choose whom so that somebody is there, or allow it by \
                 `may_miss = true`",
                effect.index + 1,
                effect.kind
            )
        })
    }
}
