local read_only = { 'no-writes' }
local when_full = { 'allow-oom' } -- what gives back must work when the server's memory is used up
redis.register_function { function_name = 'dbsync_lock1_revision', callback = revision, flags = read_only }
redis.register_function { function_name = 'dbsync_lock1_missing', callback = missing, flags = read_only }
redis.register_function('dbsync_lock1_install', install)
redis.register_function('dbsync_lock1_open', open)
redis.register_function { function_name = 'dbsync_lock1_renew', callback = renew, flags = when_full }
redis.register_function { function_name = 'dbsync_lock1_close', callback = close, flags = when_full }
redis.register_function('dbsync_lock1_run', run)
redis.register_function { function_name = 'dbsync_lock1_give_back', callback = run, flags = when_full } -- for calls that ask for nothing
redis.register_function { function_name = 'dbsync_lock1_revoke', callback = revoke, flags = when_full }
redis.register_function { function_name = 'dbsync_lock1_downgrade', callback = downgrade, flags = when_full }
redis.register_function('dbsync_lock1_upgrade', upgrade)
redis.register_function { function_name = 'dbsync_lock1_status', callback = status, flags = when_full }
redis.register_function('dbsync_lock1_mine', mine)
redis.register_function { function_name = 'dbsync_lock1_waits', callback = waits, flags = read_only }
redis.register_function { function_name = 'dbsync_lock1_list', callback = list, flags = read_only }
