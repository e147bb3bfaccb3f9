"""How other systems learn about the site.

`metrics` for Prometheus; `alerts` decides what is news, `delivery` brings it to webhooks, ntfy and e-mail;
`home_assistant` says what an MQTT broker should hold and `mqtt` keeps it so; `bridge` makes all of it from settings.
The parts that decide take values and the time; the ones that talk to others come back when those were away.
"""
