//! The two programs are found, built and run.

use tidy_tests::{Binary, Run, World, binary};

#[test]
fn both_programs_run_in_a_world_of_their_own() {
    let world = World::new();
    for program in [Binary::Tidyd, Binary::Tidyctl] {
        let run = Run::of(world.command(binary(program)).arg("--version"));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{program:?}");
    }
}
