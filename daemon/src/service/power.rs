//! Whether the machine runs on its battery.

use std::fs;
use std::path::Path;

/// Where Linux tells of mains adapters and batteries (`Documentation/ABI/testing/sysfs-class-power`). Elsewhere there
/// is no such directory, and so no battery.
pub(super) const SUPPLIES: &str = "/sys/class/power_supply";

/// What has to be readable for it: what is there leads to the devices themselves.
pub(super) const REACHED: [&str; 2] = [SUPPLIES, "/sys/devices"];

/// As systemd has it (`on_ac_power`): an adapter that is online decides; without one, a battery of the machine (not of a
/// mouse) that is being discharged does. What cannot be read is not there.
pub(super) fn on_battery(supplies: &Path) -> bool {
    let Ok(supplies) = fs::read_dir(supplies) else { return false };
    let mut discharging = false;
    for supply in supplies.flatten() {
        let says = |what: &str| {
            let text = fs::read_to_string(supply.path().join(what)).unwrap_or_default();
            text.trim_end().to_owned()
        };
        match &*says("type") {
            "Mains" | "USB" if says("online") == "1" => return false,
            "Battery" if says("scope") != "Device" => {
                discharging |= says("status") == "Discharging";
            }
            _ => {}
        }
    }
    discharging
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "makes scratch files of its own")]

    use super::*;

    fn told(supplies: &[(&str, &[(&str, &str)])]) -> bool {
        let dir = tempfile::tempdir().unwrap();
        for (name, says) in supplies {
            fs::create_dir(dir.path().join(name)).unwrap();
            for (what, text) in *says {
                fs::write(dir.path().join(name).join(what), format!("{text}\n")).unwrap();
            }
        }
        on_battery(dir.path())
    }

    #[test]
    fn an_adapter_decides_and_then_a_battery_of_the_machine() {
        let low = ("BAT0", &[("type", "Battery"), ("status", "Discharging")][..]);
        let full = ("BAT0", &[("type", "Battery"), ("status", "Full")][..]);
        let mouse = [("type", "Battery"), ("scope", "Device"), ("status", "Discharging")];
        let off = ("AC", &[("type", "Mains"), ("online", "0")][..]);
        let on = ("AC", &[("type", "Mains"), ("online", "1")][..]);
        let usb = ("ucsi", &[("type", "USB"), ("online", "1")][..]);
        assert!(told(&[low]) && told(&[low, off]));
        for plugged in [&[low, on][..], &[low, off, usb], &[full, off], &[("m", &mouse)], &[]] {
            assert!(!told(plugged), "{plugged:?}");
        }
    }

    #[test]
    fn where_nobody_tells_there_is_no_battery() {
        assert!(!on_battery(Path::new("/nonexistent")));
        assert!(!told(&[("BAT0", &[])]));
    }
}
