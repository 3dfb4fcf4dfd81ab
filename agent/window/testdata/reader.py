# What a screen reader knows of pero-window, by AT-SPI.
#   reader.py dump           its visible widgets in JSON, in the order of reading
#   reader.py ready          waits until it takes input
#   reader.py click NAME     presses a button as a switch device does; waits for the button to be there
#   reader.py insert TEXT    writes into the PIN's field as a program may write into any text
#   reader.py hear           prints "listening", and then each notification that comes up
#   reader.py listen         asks for every key, as a screen reader does for its shortcuts, and prints those it is told
import json
import sys
import time

import gi
gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib


def until(what, found):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            result = found()
            if result:
                return result
        except GLib.Error:  # it is being built, or gone
            pass
        time.sleep(0.05)
    sys.exit("no " + what)


def window():
    desktop = Atspi.get_desktop(0)
    desktop.clear_cache()
    for i in range(desktop.get_child_count()):
        program = desktop.get_child_at_index(i)
        if program is not None and program.get_name() == "pero-window" and program.get_child_count() > 0:
            return program.get_child_at_index(0)


def widgets(at):
    yield at
    for i in range(min(at.get_child_count(), 100)):
        child = at.get_child_at_index(i)
        if child is not None:
            yield from widgets(child)


def describe(w):
    states = w.get_state_set()
    d = {"role": w.get_role_name(), "name": w.get_name(), "takes": states.contains(Atspi.StateType.SENSITIVE), "visible": states.contains(Atspi.StateType.VISIBLE)}
    text = w.get_text_iface()
    if text is not None:
        d["text"] = Atspi.Text.get_text(text, 0, -1)
    table = w.get_table_iface()
    if table is not None:
        d["rows"] = Atspi.Table.get_n_rows(table)
    for r in w.get_relation_set():
        if r.get_relation_type() == Atspi.RelationType.LABELLED_BY:
            d["label"] = r.get_target(0).get_name()
    return d


def find(test):
    w = window()
    if w is None:
        return None
    w.clear_cache()
    return next((x for x in widgets(w) if test(x)), None)


command = sys.argv[1]
if command == "dump":
    until("window", window)
    print(json.dumps([d for d in map(describe, widgets(window())) if d["visible"]]))
elif command == "ready":
    until("window that takes input", lambda: find(lambda x: x.get_role() == Atspi.Role.PUSH_BUTTON and x.get_state_set().contains(Atspi.StateType.SENSITIVE)))
elif command == "click":
    button = until("button", lambda: find(lambda x: x.get_role() == Atspi.Role.PUSH_BUTTON and x.get_name() == sys.argv[2]))
    Atspi.Action.do_action(button.get_action_iface(), 0)
elif command == "insert":
    field = until("field", lambda: find(lambda x: x.get_role() == Atspi.Role.PASSWORD_TEXT))
    try:
        Atspi.EditableText.insert_text(field.get_editable_text_iface(), 0, sys.argv[2], len(sys.argv[2].encode()))
    except GLib.Error as e:  # refused: that is an answer too
        print(e.message)
elif command == "hear":
    def came(event):
        if event.detail1 and event.source.get_role() == Atspi.Role.NOTIFICATION:
            print(event.source.get_name(), flush=True)
    hearing = Atspi.EventListener.new(came)
    hearing.register("object:state-changed:showing")
    print("listening", flush=True)
    GLib.timeout_add_seconds(30, Atspi.event_quit)
    Atspi.event_main()
elif command == "listen":
    listener = Atspi.DeviceListener.new(lambda key, *_: print(key.event_string, flush=True))
    for shift in (0, 1):
        Atspi.register_keystroke_listener(listener, None, shift, 1 << Atspi.EventType.KEY_PRESSED_EVENT, Atspi.KeyListenerSyncType.SYNCHRONOUS)
    GLib.MainLoop().run()
