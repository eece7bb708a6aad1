//! What machines that leave say that others may lack.

use super::*;

#[test]
fn what_a_leaver_said_that_others_may_lack_is_excused_and_no_more_than_that() {
    let leave = |story: &mut Story, now, machine| {
        story.0.gone(now, &[machine], "left", Loss::Departure);
    };
    let with = |said: &[(u32, u64)]| {
        let mut story = Story::new();
        story.write(1, 7, &[1, 2, 3]);
        for &(machine, records) in said {
            story.0.left_behind(machine, records);
        }
        for machine in [1, 2, 3] {
            leave(&mut story, 2 + u64::from(machine), machine);
        }
        story.found()
    };
    assert_eq!(with(&[]), [("lost", None)]);
    for said in [1, 2, 3] {
        assert_eq!(with(&[(said, 1)]), [("lost", Some(LEFT_BEHIND))]);
    }
    // Others have said so, or it was said of nothing.
    assert_eq!(with(&[(4, 9)]), [("lost", None)]);
    assert_eq!(with(&[(3, 0)]), [("lost", None)]);

    // Of two records it has said that one may be nowhere.
    let mut story = Story::new();
    story.issue(7, KEY);
    story.issue(8, 200);
    story.batch(1, 1, KEY, Some(record(7)));
    story.batch(1, 1, 200, Some(record(8)));
    story.acknowledge(1, 7, 7, &[1], 1);
    story.acknowledge(1, 8, 8, &[1], 1);
    story.found();
    story.0.left_behind(1, 1);
    leave(&mut story, 2, 1);
    let excuses = story
        .found()
        .into_iter()
        .filter(|(check, _)| *check == LOST);
    let excuses: Vec<Option<&str>> = excuses.map(|(_, excuse)| excuse).collect();
    assert_eq!(excuses, [Some(LEFT_BEHIND), None]);

    // It came back, had the write again, and left without a word.
    let mut story = Story::new();
    story.0.left_behind(1, 5);
    leave(&mut story, 1, 1);
    story.write(2, 7, &[1, 2, 3]);
    for machine in [2, 3, 1] {
        leave(&mut story, 3, machine);
    }
    assert_eq!(story.found(), [("lost", None)]);
}
