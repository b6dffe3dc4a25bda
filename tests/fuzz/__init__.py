"""`make fuzz`: seeded inputs that nothing good ever sends, against everything that reads what others wrote.

mutate.py     changed bytes, changed JSON, and the places where the structures of image formats end
subjects.py   what is fuzzed in one process: events, requests, options, stack.yml, lake.yml, CSV, images
heads.py      raw HTTP; heads_servers.py has the servers that get it: function, bridge, gateway and store of penstock up
worker.py     runs the cases of one subject in a process of its own, which may crash or hang
corpus/       inputs that once were answered wrongly, by subject: each is tried first
"""
